//! What pins a task before its restore: an open transaction, and whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use millpond_topology::{SubTopology, TaskId};

use super::fencing::fence_dead;
use super::messages::RestoreRequest;
use super::restore::{Failed, RETRY, Restorer, missing};
use super::restore_end::nonce;
use crate::kafka::{CallError, Cluster, PartitionEnds, Position, code};

/// How long something may be pinned by an open transaction before its dead owner is fenced.
const PINNED_MAX: Duration = Duration::from_millis(50);
/// A transaction that is open for longer than twice its timeout and this (coordinators look for such ones every 10 s) is one
/// that nobody ends.
const HANGING_AFTER: Duration = Duration::from_secs(30);
/// How long a pinned task keeps others waiting at a time.
const TURN: Duration = Duration::from_millis(500);
/// Time without a look after which a task that is pinned is pinned anew.
const PINNED_GAP: Duration = Duration::from_secs(30);
/// Longest wait for the answer who committed a task last.
const LAST_OWNERS_TIMEOUT: Duration = Duration::from_secs(5);

impl Restorer {
    /// Reads the group's stable committed offsets; fences the dead owner of a transaction that pins one.
    pub(super) fn stable_offsets(
        &self,
        request: &RestoreRequest,
        sub: &SubTopology,
    ) -> Result<BTreeMap<String, Position>, Failed> {
        let partition = request.task.partition;
        let ask: Vec<_> = sub.inputs().map(|(_, topic)| (topic, partition)).collect();
        let begun = Instant::now();
        loop {
            self.check_wanted(request)?;
            self.check_turn(begun)?;
            match self.cluster.committed(&ask, PINNED_MAX) {
                Ok(found) => return Ok(found.into_iter().map(|at| (at.topic.clone(), at)).collect()),
                // librdkafka repeats the question by itself while an offset is pinned, until the time is over.
                Err(error) if matches!(error.code, code::UNSTABLE_OFFSET_COMMIT | code::TIMED_OUT) => {
                    self.pinned(request, sub, "its committed offsets are")?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until nothing of the changelog is pinned below its high watermark, and returns its ends.
    pub(super) fn stable_end(
        &self,
        request: &RestoreRequest,
        sub: &SubTopology,
    ) -> Result<PartitionEnds, Failed> {
        let changelog = &sub.changelog_topic(self.topology.app());
        let partitions = [(changelog.as_str(), request.task.partition)];
        let target = self.cluster.ends(&partitions)?.first().copied().ok_or_else(|| missing(changelog))?;
        let begun = Instant::now();
        let mut last_stable = target.last_stable;
        while last_stable < target.high_watermark {
            self.check_wanted(request)?;
            self.check_turn(begun)?;
            if begun.elapsed() > PINNED_MAX {
                self.pinned(request, sub, "its changelog is")?;
            }
            std::thread::sleep(RETRY);
            let found = self.cluster.last_stable(&partitions)?;
            last_stable = found.first().copied().ok_or_else(|| missing(changelog))?;
        }
        Ok(target)
    }

    /// Lets other tasks have their turn when this one has been waited for long enough.
    fn check_turn(&self, begun: Instant) -> Result<(), Failed> {
        let others = self.waiting.get() > 0 || !self.inbox.is_empty();
        if others && begun.elapsed() > TURN { Err(Failed::Later) } else { Ok(()) }
    }

    /// Notes that a transaction pins the task, and fences the producers that may have left it open: those of instances that
    /// the group lost, and the one that committed the task last. A newcomer knows only the latter. Each is fenced once in a
    /// generation, and none of an instance that is in the group at that moment.
    fn pinned(&self, request: &RestoreRequest, sub: &SubTopology, what: &str) -> Result<(), Failed> {
        let task = request.task;
        if !self.is_open(request, sub)? {
            // Every transaction writes the marker before it sends offsets: nothing pins them, the answer is only late.
            let note =
                format!("task {task}: the group's coordinator has not answered for its committed offsets");
            self.shared.board().notes.insert("restore", note);
            return Ok(());
        }
        let note = format!("task {task}: {what} pinned by an open transaction of another instance");
        self.note_pinned(task, &sub.changelog_topic(self.topology.app()), note);
        // A process that slept may have outdated knowledge of who is dead; it fences nobody until the group knows it still.
        if !self.shared.is_member_since(None) {
            return Ok(());
        }
        let mut dead: BTreeSet<String> = self.last_owners(request, sub)?.into_iter().collect();
        dead.extend(request.dead_ids.iter().cloned());
        self.check_wanted(request)?;
        let own = self.directory.transactional_ids();
        let generation = self.shared.board().generation;
        let mut fenced = self.fenced.borrow_mut();
        fenced.retain(|(known, _)| *known == generation);
        dead.retain(|id| !own.contains(id));
        dead.retain(|id| !fenced.contains(&(generation, id.clone())));
        fence_dead(&self.settings.producer, &Vec::from_iter(dead), &self.shared, |id| {
            let may = self.check_wanted(request).is_ok()
                && self.shared.is_member_since(None)
                && !self.shared.live_ids().iter().any(|live| live == id);
            may && fenced.insert((generation, id.to_owned()))
        });
        Ok(())
    }

    /// Shows what pins a task, and after longer than any transaction may last how to end what no coordinator ends.
    fn note_pinned(&self, task: TaskId, changelog: &str, mut note: String) {
        let hanging_after = HANGING_AFTER + self.settings.producer.transaction_timeout * 2;
        let mut pinned = self.pinned.borrow_mut();
        let now = Instant::now();
        pinned.retain(|_, (_, last)| last.elapsed() <= PINNED_GAP);
        let (since, last) = pinned.entry(task).or_insert((now, now));
        let was_hanging = last.duration_since(*since) > hanging_after;
        *last = now;
        if now.duration_since(*since) > hanging_after {
            note += &format!(
                " for more than {hanging_after:?}: the brokers may have lost its end. `millpond transactions show` \
                 says whose it is in {changelog}-{} and what becomes of it; do not abort it before",
                task.partition
            );
            if !was_hanging {
                tracing::warn!(%task, "{note}");
            }
        }
        self.shared.board().notes.insert("restore", note);
    }

    /// Says whether a transaction is open on the task's changelog.
    fn is_open(&self, request: &RestoreRequest, sub: &SubTopology) -> Result<bool, CallError> {
        let changelog = sub.changelog_topic(self.topology.app());
        let ends = self.cluster.ends(&[(changelog.as_str(), request.task.partition)])?;
        Ok(ends.first().is_some_and(|ends| ends.last_stable < ends.high_watermark))
    }

    /// Returns the transactional ids that the last committed offsets of the task name, whatever is pending above them.
    fn last_owners(&self, request: &RestoreRequest, sub: &SubTopology) -> Result<Vec<String>, CallError> {
        let mut config = self.settings.consumer.clone();
        // Only such a client is told of offsets below an open transaction.
        config.set("isolation.level", "read_uncommitted");
        let cluster = Cluster::new(&config, LAST_OWNERS_TIMEOUT)?;
        let ask: Vec<_> = sub.inputs().map(|(_, topic)| (topic, request.task.partition)).collect();
        let found = cluster.committed(&ask, LAST_OWNERS_TIMEOUT)?;
        Ok(found.iter().filter_map(nonce).map(|nonce| nonce.transactional_id).collect())
    }
}
