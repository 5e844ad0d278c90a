//! The restore thread: brings tasks' stores up to date, off the processing threads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use millpond_mutants::{Mutant, is};
use millpond_state::{Directory, Found, Identity, OpenError, Opened, StorageError, Store, set_aside};
use millpond_topology::{
    CHANGELOG_MARKER_KEY, Marker, RawRecord, StateReader, SubTopology, Task, TaskError, TaskId, TaskOptions,
    Topology,
};

use super::facts::Facts;
use super::fencing::fence_dead;
use super::memory::Memory;
use super::messages::{RestoreRequest, ToInstance};
use super::owned_task::OwnedTask;
use super::settings::Settings;
use super::shared::Shared;
use crate::engine::{
    Changelog, ChangelogPosition, CommittedInput, InputFacts, Nonce, Plan, RestoreFacts, RestoreStop,
    StoreFacts, conclude, plan,
};
use crate::kafka::{
    CallError, Cluster, Consumer, Message, PartitionEnds, Position, TopicPartition, code, loses_records,
};

/// How long something may be pinned by an open transaction before its dead owner is fenced.
const PINNED_MAX: Duration = Duration::from_millis(50);
/// A transaction that is open for longer than twice its timeout and this (coordinators look for such ones every 10 s) is one
/// that nobody ends.
const HANGING_AFTER: Duration = Duration::from_secs(30);
/// Time without a look after which a task that is pinned is pinned anew.
const PINNED_GAP: Duration = Duration::from_secs(30);
/// Records applied to a store in one batch.
const CHUNK: usize = 50_000;
/// Bytes of values applied to a store in one batch.
const CHUNK_BYTES: usize = 32 * 1024 * 1024;
/// Wait between two looks at something that is not there yet.
const RETRY: Duration = Duration::from_millis(20);
/// Wait before a restore is tried again after the cluster failed to answer.
const OUTAGE_RETRY: Duration = Duration::from_millis(500);
/// Longest wait for the answer who committed a task last.
const LAST_OWNERS_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a task cannot be restored; ends the process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// State, changelog and offsets do not agree.
    #[error("task {task}: {source}")]
    Stop {
        /// The task.
        task: TaskId,
        /// What does not agree, and the cure.
        source: RestoreStop,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of the changelog is there and cannot be read.
    #[error(
        "task {task}: {topic}@{offset}: {text}. A batch of the changelog cannot be read; going on would lose state. Compare \
         with the other replicas and repair the partition"
    )]
    Unreadable {
        /// The task.
        task: TaskId,
        /// Changelog topic.
        topic: String,
        /// Offset.
        offset: i64,
        /// What the client said.
        text: String,
    },
    /// The store failed.
    #[error("task {task}: {source}")]
    Storage {
        /// The task.
        task: TaskId,
        /// What RocksDB said.
        source: StorageError,
    },
    /// The changelog holds what this program does not know. Nothing of the chunk was written.
    #[error("task {task}: {topic}-{partition}, records below offset {next}: {source}")]
    Unknown {
        /// The task.
        task: TaskId,
        /// Changelog topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// Offset behind the chunk that was read.
        next: i64,
        /// What was found.
        source: StorageError,
    },
    /// The damaged store cannot be set aside.
    #[error(
        "task {task}: the damaged store cannot be set aside: {source}; make its folder writable and start again: nothing is \
         lost, the changelog restores it"
    )]
    SetAside {
        /// The task.
        task: TaskId,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The marker cannot be read.
    #[error("task {task}: {text}")]
    Marker {
        /// The task.
        task: TaskId,
        /// What is wrong with it.
        text: String,
    },
    /// The task cannot be built.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why one attempt ended without a result.
enum Failed {
    /// For good.
    Stop(RestoreError),
    /// The cluster did not answer, or something is still pinned: try again.
    Again(String),
    /// The task is no longer wanted.
    Cancelled,
}

impl From<RestoreError> for Failed {
    fn from(error: RestoreError) -> Self {
        Self::Stop(error)
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Again(error.to_string())
    }
}

/// The restore thread's state.
pub(crate) struct Restorer {
    /// The topology.
    pub topology: Topology,
    /// Facts about topics.
    pub facts: Arc<Facts>,
    /// Settings.
    pub settings: Settings,
    /// Shared state.
    pub shared: Arc<Shared>,
    /// Queries.
    pub cluster: Arc<Cluster>,
    /// Memory of all stores.
    pub memory: millpond_state::Shared,
    /// Where stores live.
    pub directory: Arc<Directory>,
    /// Tasks to restore.
    pub inbox: Receiver<RestoreRequest>,
    /// Where results go.
    pub instance: Sender<ToInstance>,
    /// Metrics.
    pub metrics: crate::metrics::Metrics,
    /// Generation and transactional id of each producer that was fenced.
    pub fenced: RefCell<BTreeSet<(i32, String)>>,
    /// The task that a transaction pins: since when, and when that was last seen.
    pub pinned: RefCell<Option<(TaskId, Instant, Instant)>>,
}

/// A restore in progress.
struct Job {
    request: RestoreRequest,
    sub: Arc<SubTopology>,
    changelog: String,
    store: Store,
    /// Stable committed offsets by input topic.
    committed: BTreeMap<String, Position>,
    target: i64,
    done: bool,
    from: i64,
    records: u64,
    begun: Instant,
}

impl Restorer {
    /// Restores what comes in until the channel closes.
    pub(crate) fn run(self) {
        let mut consumer = None;
        while let Ok(first) = self.inbox.recv() {
            let mut requests = vec![first];
            requests.extend(self.inbox.try_iter());
            for request in requests {
                if !self.until_done(&mut consumer, &request) {
                    return;
                }
            }
        }
    }

    /// Tries until the task is restored, cancelled, or refused; `false` ends the thread.
    fn until_done(&self, consumer: &mut Option<Consumer>, request: &RestoreRequest) -> bool {
        loop {
            match self.restore(consumer, request) {
                Ok(owned) => {
                    self.shared.board().notes.remove("restore");
                    return self.instance.send(ToInstance::Restored(Box::new(owned))).is_ok();
                }
                Err(Failed::Cancelled) => {
                    self.shared.board().notes.remove("restore");
                    return self
                        .instance
                        .send(ToInstance::RestoreCancelled(request.task, request.incarnation))
                        .is_ok();
                }
                Err(Failed::Stop(error)) => {
                    self.shared.fail(error.to_string());
                    return false;
                }
                Err(Failed::Again(why)) => {
                    tracing::warn!(task = %request.task, %why, "restore is tried again");
                    self.shared.board().notes.insert("restore", format!("task {}: {why}", request.task));
                    // A half-read consumer is not trusted further.
                    *consumer = None;
                    std::thread::sleep(OUTAGE_RETRY);
                }
            }
        }
    }

    fn check_wanted(&self, request: &RestoreRequest) -> Result<(), Failed> {
        let wanted = self.shared.owns(request.task, request.incarnation) && self.shared.fatal().is_none();
        if wanted { Ok(()) } else { Err(Failed::Cancelled) }
    }

    fn restore(
        &self,
        consumer: &mut Option<Consumer>,
        request: &RestoreRequest,
    ) -> Result<OwnedTask, Failed> {
        self.check_wanted(request)?;
        fail::fail_point!("restore::begins");
        let sub = self.topology.sub_topology(request.task.subtopology).ok_or(Failed::Cancelled)?;
        // The order matters: after the stable offsets are read, nothing of an older generation can come.
        let committed = self.stable_offsets(request, sub)?;
        let ends = self.stable_end(request, sub)?;
        let mut job = self.open(request, sub, committed, ends)?;
        self.read(consumer, &mut job)?;
        job.store.restored();
        self.finish(job)
    }

    /// Reads the group's stable committed offsets; fences the dead owner of a transaction that pins one.
    fn stable_offsets(
        &self,
        request: &RestoreRequest,
        sub: &SubTopology,
    ) -> Result<BTreeMap<String, Position>, Failed> {
        let partition = request.task.partition;
        let ask: Vec<_> = sub.inputs().map(|(_, topic)| (topic, partition)).collect();
        loop {
            self.check_wanted(request)?;
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
    fn stable_end(&self, request: &RestoreRequest, sub: &SubTopology) -> Result<PartitionEnds, Failed> {
        let changelog = &sub.changelog_topic(self.topology.app());
        let partitions = [(changelog.as_str(), request.task.partition)];
        let target = self.cluster.ends(&partitions)?.first().copied().ok_or_else(|| missing(changelog))?;
        let begun = Instant::now();
        let mut last_stable = target.last_stable;
        while last_stable < target.high_watermark {
            self.check_wanted(request)?;
            if begun.elapsed() > PINNED_MAX {
                self.pinned(request, sub, "its changelog is")?;
            }
            std::thread::sleep(RETRY);
            let found = self.cluster.last_stable(&partitions)?;
            last_stable = found.first().copied().ok_or_else(|| missing(changelog))?;
        }
        Ok(target)
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
        let mut dead: BTreeSet<String> = self.last_owners(request, sub)?.into_iter().collect();
        dead.extend(request.dead_ids.iter().cloned());
        self.check_wanted(request)?;
        let (own, live) = (self.directory.transactional_ids(), self.shared.live_ids());
        let generation = self.shared.board().generation;
        let mut fenced = self.fenced.borrow_mut();
        fenced.retain(|(known, _)| *known == generation);
        dead.retain(|id| !own.contains(id) && !live.contains(id));
        dead.retain(|id| fenced.insert((generation, id.clone())));
        drop(fenced);
        fence_dead(&self.settings.producer, &Vec::from_iter(dead), &self.shared);
        Ok(())
    }

    /// Shows what pins a task, and after longer than any transaction may last how to end what no coordinator ends.
    fn note_pinned(&self, task: TaskId, changelog: &str, mut note: String) {
        let hanging_after = HANGING_AFTER + self.settings.producer.transaction_timeout * 2;
        let mut pinned = self.pinned.borrow_mut();
        let now = Instant::now();
        if pinned.is_none_or(|(known, _, last)| known != task || last.elapsed() > PINNED_GAP) {
            *pinned = Some((task, now, now));
        }
        if let Some((_, since, last)) = pinned.as_mut() {
            let was_hanging = last.duration_since(*since) > hanging_after;
            *last = now;
            if now.duration_since(*since) > hanging_after {
                note += &format!(
                    " for more than {hanging_after:?}: its coordinator may have lost its end. Look with Kafka's \
                     kafka-transactions.sh: `find-hanging --broker-id` the leader of {changelog}-{}, and `abort` what it shows",
                    task.partition
                );
                if !was_hanging {
                    tracing::warn!(%task, "{note}");
                }
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

    fn open(
        &self,
        request: &RestoreRequest,
        sub: &Arc<SubTopology>,
        committed: BTreeMap<String, Position>,
        ends: PartitionEnds,
    ) -> Result<Job, Failed> {
        let task = request.task;
        let changelog = sub.changelog_topic(self.topology.app());
        let topic_id = self.facts.topic_id(&changelog).ok_or_else(|| missing(&changelog))?;
        let mut opened = self.open_store(task, sub)?;
        let facts = match &opened.found {
            Found::Fresh => None,
            Found::Existing { metadata, .. } => Some(StoreFacts {
                folder: self.directory.task_dir(task).display().to_string(),
                changelog_topic_id: metadata.changelog_topic_id,
                position: metadata.position,
                is_stale: millpond_state::is_stale(
                    metadata,
                    self.shared.clock.now().wall_ms,
                    self.settings.delete_retention_ms,
                ),
            }),
        };
        let described = Changelog {
            topic: changelog.clone(),
            partition: task.partition,
            topic_id,
            log_start: ends.log_start,
            high_watermark: ends.high_watermark,
        };
        let stop = |source| RestoreError::Stop { task, source };
        let from = match plan(&described, facts.as_ref()).map_err(stop)? {
            Plan::FromStart => 0,
            Plan::Tail { from } => from,
            Plan::Rebuild { why } => {
                tracing::warn!(%task, why, "the store is set aside and rebuilt");
                drop(opened);
                self.set_aside(task)?;
                opened = self.open_store(task, sub)?;
                0
            }
        };
        let mut store = opened.store;
        store.set_changelog_topic_id(topic_id).map_err(|source| RestoreError::Storage { task, source })?;
        let target = ends.high_watermark;
        tracing::info!(%task, from, target, "restore begins");
        let request = request.clone();
        let (records, done, begun) = (0, from >= target, Instant::now());
        Ok(Job {
            request,
            sub: Arc::clone(sub),
            changelog,
            store,
            committed,
            target,
            done,
            from,
            records,
            begun,
        })
    }

    fn open_store(&self, task: TaskId, sub: &SubTopology) -> Result<Opened, Failed> {
        let partitions = self.facts.input_partitions(sub);
        let identity = Identity::of(self.topology.app(), sub, task.partition, partitions);
        let dir = self.directory.task_dir(task);
        match Store::open(&dir, &identity, &self.memory) {
            Err(OpenError::Corrupt { path, message }) => {
                tracing::error!(%task, ?path, %message, "the store is damaged: set aside, rebuilt from the changelog");
                self.set_aside(task)?;
                Store::open(&dir, &identity, &self.memory).map_err(|error| RestoreError::from(error).into())
            }
            opened => opened.map_err(|error| RestoreError::from(error).into()),
        }
    }

    fn set_aside(&self, task: TaskId) -> Result<(), Failed> {
        let wall_ms = self.shared.clock.now().wall_ms;
        let path = set_aside(&self.directory.task_dir(task), wall_ms)
            .map_err(|source| RestoreError::SetAside { task, source })?;
        tracing::warn!(%task, ?path, "old store kept here; delete it when it is no longer needed");
        Ok(())
    }

    /// Reads the changelog from the store's position to its end, in chunks that carry their position.
    fn read(&self, slot: &mut Option<Consumer>, job: &mut Job) -> Result<(), Failed> {
        self.progress(job, job.from);
        if job.done {
            return Ok(());
        }
        let consumer = match slot {
            Some(consumer) => consumer,
            None => slot.insert(Consumer::new(&self.settings.consumer)?),
        };
        let partition = job.request.task.partition;
        let key = TopicPartition { topic: job.changelog.clone(), partition };
        consumer.add(&[Position::new(&job.changelog, partition, job.from)])?;
        let result = self.read_chunks(consumer, job);
        consumer.remove(&[key])?;
        result
    }

    fn read_chunks(&self, consumer: &mut Consumer, job: &mut Job) -> Result<(), Failed> {
        let mut chunk: Vec<Message> = Vec::new();
        let mut fetched = Vec::new();
        let (mut bytes, mut last_answer) = (0usize, Instant::now());
        while !job.done {
            self.check_wanted(&job.request)?;
            consumer.fetch(Duration::from_millis(100), 10_000, &mut fetched);
            if fetched.is_empty() && last_answer.elapsed() > Duration::from_secs(30) {
                return Err(Failed::Again("no answer from the changelog's leader for 30 s".to_owned()));
            }
            let mut end = None;
            for message in fetched.drain(..) {
                last_answer = Instant::now();
                match message.err() {
                    0 => {
                        bytes += message.value().map_or(0, <[u8]>::len);
                        chunk.push(message);
                    }
                    code::PARTITION_EOF if message.topic() == job.changelog => end = Some(message.offset()),
                    code::AUTO_OFFSET_RESET => return Err(Failed::Again(message.error_text())),
                    failed if loses_records(failed) => {
                        let (task, offset) = (job.request.task, message.offset());
                        let text = message.error_text();
                        let topic = job.changelog.clone();
                        return Err(RestoreError::Unreadable { task, topic, offset, text }.into());
                    }
                    _ => tracing::warn!(error = %message.error_text(), "restore consumer"),
                }
            }
            // Never stop below the target: a committed update may lie behind what the first end showed.
            job.done = end.is_some_and(|end| end >= job.target);
            if job.done || chunk.len() >= CHUNK || bytes >= CHUNK_BYTES {
                self.apply(job, &mut chunk, end)?;
                bytes = 0;
            }
        }
        Ok(())
    }

    fn apply(&self, job: &mut Job, chunk: &mut Vec<Message>, end: Option<i64>) -> Result<(), Failed> {
        let task = job.request.task;
        let next = chunk.last().map_or(job.store.position(), |last| last.offset() + 1);
        let next = end.map_or(next, |end| end.max(next)).max(job.store.position());
        let wall_ms = self.shared.clock.now().wall_ms;
        let mut records = chunk.iter().map(|record| (record.key().unwrap_or_default(), record.value()));
        job.store.restore(&mut records, next, wall_ms).map_err(|source| match source {
            StorageError::Format(_) | StorageError::ReservedKey { .. } => {
                let (topic, partition) = (job.changelog.clone(), task.partition);
                RestoreError::Unknown { task, topic, partition, next, source }
            }
            source => RestoreError::Storage { task, source },
        })?;
        job.records += chunk.len() as u64;
        chunk.clear();
        self.progress(job, next);
        Ok(())
    }

    fn progress(&self, job: &Job, position: i64) {
        let offsets = |from: i64, to: i64| u64::try_from(to - from).unwrap_or(0);
        let mut board = self.shared.board();
        let line = board.tasks.entry(job.request.task).or_default();
        let fresh = job.records.saturating_sub(line.restored_records);
        line.restore_total = offsets(job.from, job.target);
        line.restore_done = offsets(job.from, position);
        line.restored_records = job.records;
        line.restore_from = job.from;
        line.restore_ms = u64::try_from(job.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        drop(board);
        let metrics = self.metrics.restore(job.sub.name(), job.request.task.partition);
        metrics.advance(position, job.target, fresh);
        if job.done {
            metrics.finish();
        }
    }

    /// Checks what was restored and builds the task.
    fn finish(&self, job: Job) -> Result<OwnedTask, Failed> {
        let task = job.request.task;
        let storage = |source| RestoreError::Storage { task, source };
        let marker = read_marker(&job.store).map_err(|source| {
            Failed::Stop(match source {
                MarkerFault::Store(source) => storage(source),
                MarkerFault::Format(text) => RestoreError::Marker { task, text },
            })
        })?;
        let inputs = self.input_facts(&job)?;
        let facts = RestoreFacts {
            app: self.topology.app().to_owned(),
            brokers: self.settings.brokers.clone(),
            changelog: job.changelog.clone(),
            partition: task.partition,
            fingerprint: job.sub.fingerprint(),
            inputs,
            marker,
            may_start_trimmed: self.settings.may_start_trimmed,
        };
        let restored = match conclude(facts) {
            Ok(restored) => restored,
            Err(source) => return Err(self.disagree(&job, source)),
        };
        let previous = previous_nonce(&job);
        let options = TaskOptions {
            app: self.topology.app().to_owned(),
            input_partitions: self.facts.input_partitions(&job.sub),
            sink_partitions: self.facts.sink_partitions(&job.sub),
            timestamp_max_ahead_ms: self.settings.timestamp_max_ahead_ms,
            dead_letter_value_bytes_max: 900 * 1024,
            held_bytes_max: self.held_bytes_max(&job.sub),
        };
        let built = Task::new(task, &job.sub, options, &restored, Box::new(job.store.reader()));
        let mut built = built.map_err(RestoreError::from)?;
        built.stop_on_poison(self.settings.poison_stops.clone());
        let inputs = built
            .input_topics()
            .map(|topic| TopicPartition { topic: topic.to_owned(), partition: task.partition });
        let inputs = inputs.collect();
        tracing::info!(
            %task,
            records = job.records,
            from = job.from,
            ms = u64::try_from(job.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            sequence = restored.sequence,
            "restored"
        );
        Ok(OwnedTask {
            task: built,
            position: ChangelogPosition::new(job.store.position()),
            store: job.store,
            incarnation: job.request.incarnation,
            previous,
            attempt: 0,
            changelog: job.changelog,
            flushed: Instant::now(),
            inputs,
        })
    }

    fn held_bytes_max(&self, sub: &SubTopology) -> usize {
        let tasks = self.facts.input_partitions(sub);
        Memory::divide(self.settings.memory_budget, &self.topology).held_per_task(tasks)
    }

    /// State and offsets do not agree. A process that was thrown out and does not know it yet may have read the offsets
    /// before and the changelog after a transaction of the task's owner: only offsets that stand still prove anything.
    fn disagree(&self, job: &Job, source: RestoreStop) -> Failed {
        match self.stable_offsets(&job.request, &job.sub) {
            Ok(again) if again == job.committed || is(Mutant::NoSecondLook) => {
                RestoreError::Stop { task: job.request.task, source }.into()
            }
            Ok(_) => {
                Failed::Again("its offsets were committed meanwhile: another instance runs it".to_owned())
            }
            Err(failed) => failed,
        }
    }

    fn input_facts(&self, job: &Job) -> Result<Vec<CommittedInput>, Failed> {
        let partition = job.request.task.partition;
        let ask: Vec<_> = job.sub.inputs().map(|(_, topic)| (topic, partition)).collect();
        let ends = self.cluster.ends(&ask)?;
        let mut inputs = Vec::new();
        let mut board = self.shared.board();
        let line = board.tasks.entry(job.request.task).or_default();
        line.inputs.clear();
        for ((topic, _), ends) in ask.into_iter().zip(ends) {
            let topic_id = self.facts.topic_id(topic).ok_or_else(|| missing(topic))?;
            let committed = job.committed.get(topic).map(|at| at.offset).filter(|offset| *offset >= 0);
            line.inputs.push(super::board::InputLine {
                topic: topic.to_owned(),
                position: committed.unwrap_or(ends.log_start),
                committed: committed.unwrap_or(ends.log_start),
                log_start: ends.log_start,
                last_stable: ends.last_stable,
                high_watermark: ends.high_watermark,
                last_record_ms: 0,
            });
            let PartitionEnds { log_start, high_watermark, .. } = ends;
            let facts = InputFacts { topic: topic.to_owned(), topic_id, log_start, high_watermark };
            let sequence = job.committed.get(topic).and_then(nonce).map(|nonce| nonce.sequence);
            inputs.push(CommittedInput { facts, committed, sequence });
        }
        Ok(inputs)
    }
}

/// Returns the nonce of what is committed. An offset that a person set back to where the state stands has none: whatever
/// nonce is found later is then of a transaction after it.
fn previous_nonce(job: &Job) -> Option<Nonce> {
    let (_, topic) = job.sub.inputs().next()?;
    let at = job.committed.get(topic).filter(|at| at.offset >= 0)?;
    let nonce = nonce(at);
    if nonce.is_none() {
        let (task, offset) = (job.request.task, at.offset);
        tracing::warn!(%task, topic, offset, "the committed offset was set from outside, to where the state stands");
    }
    nonce
}

fn nonce(at: &Position) -> Option<Nonce> {
    at.metadata.as_ref()?.parse().ok()
}

/// Why the marker is not there to be read.
enum MarkerFault {
    Store(StorageError),
    Format(String),
}

fn read_marker(store: &Store) -> Result<Option<Marker>, MarkerFault> {
    let mut bytes = Vec::new();
    match store.reader().get(&CHANGELOG_MARKER_KEY, &mut bytes) {
        Ok(true) => Marker::decode(&bytes).map(Some).map_err(|error| MarkerFault::Format(error.to_string())),
        Ok(false) => Ok(None),
        Err(error) => Err(MarkerFault::Store(StorageError::Storage { message: error.to_string() })),
    }
}

fn missing(topic: &str) -> Failed {
    Failed::Again(format!("topic {topic} is not there; `millpond topics check` says what is missing"))
}
