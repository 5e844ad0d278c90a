//! What a stream thread reports, and how its messages find their task.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond_topology::{Applied, TaskId};

use super::lane_outcome::Outcome;
use super::owned_task::OwnedTask;
use super::shared::Shared;
use crate::engine::{Phase, Reason};
use crate::kafka::{Message, TopicTag};
use crate::metrics::{
    Direction, Dropped, Metrics, RecycleReason, RocksdbMetrics, Spent, StoreSample, ThreadMetrics,
    TopicMetrics, TransactionOutcome,
};

/// Prefix of the counters that are outcomes of orders.
const DEBITS: &str = "debits_";
/// Time between two publications of time spent.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// Time between two publications of positions.
const POSITIONS_EVERY: Duration = Duration::from_millis(10);
/// Time between two looks at RocksDB's own figures.
const STORES_EVERY: Duration = Duration::from_secs(2);

/// Metrics and routes of one stream thread; nothing is looked up by label on the hot path.
pub(crate) struct Observer {
    number: usize,
    thread: ThreadMetrics,
    metrics: Metrics,
    shared: Arc<Shared>,
    topics: HashMap<String, TopicMetrics>,
    tags: HashMap<(TopicTag, i32), Option<(usize, usize)>>,
    busy: Duration,
    idle: Duration,
    committing: Duration,
    published: Instant,
    positioned: Instant,
    stores_shown: Instant,
}

impl Observer {
    /// Returns the observer of thread `number`.
    #[must_use]
    pub(crate) fn new(number: usize, metrics: &Metrics, shared: &Arc<Shared>) -> Self {
        shared.board().threads.insert(number, super::board::ThreadLine::default());
        Self {
            number,
            thread: metrics.thread(number),
            metrics: metrics.clone(),
            shared: Arc::clone(shared),
            topics: HashMap::new(),
            tags: HashMap::new(),
            busy: Duration::ZERO,
            idle: Duration::ZERO,
            committing: Duration::ZERO,
            published: Instant::now(),
            positioned: Instant::now(),
            stores_shown: Instant::now(),
        }
    }

    /// Finds the task and input of a message: by the address of its topic, by name the first time.
    pub(crate) fn route(
        &mut self,
        message: &Message,
        routes: &HashMap<(String, i32), (usize, usize)>,
    ) -> Option<(usize, usize)> {
        let key = (message.topic_tag(), message.partition());
        *self.tags.entry(key).or_insert_with(|| routes.get(&(message.topic(), key.1)).copied())
    }

    /// Forgets the addresses: tasks came or went.
    pub(crate) fn reset_tags(&mut self) {
        self.tags.clear();
    }

    /// Notes that a task runs on this thread.
    pub(crate) fn opened(&self, owned: &OwnedTask) {
        let mut board = self.shared.board();
        let line = board.tasks.entry(owned.task.id()).or_default();
        line.phase = super::board::TaskPhase::Running;
        line.thread = self.number;
        line.unflushed_rows = owned.store.rows_since_flush();
    }

    /// Notes that a task no longer runs here.
    pub(crate) fn closed(&self, owned: &OwnedTask) {
        self.rocksdb(owned).remove();
        let mut board = self.shared.board();
        if let Some(line) = board.tasks.get_mut(&owned.task.id()) {
            line.phase = super::board::TaskPhase::Closing;
        }
    }

    /// Notes that a task's store was flushed.
    pub(crate) fn flushed(&self, owned: &OwnedTask) {
        if let Some(line) = self.shared.board().tasks.get_mut(&owned.task.id()) {
            line.unflushed_rows = owned.store.rows_since_flush();
        }
    }

    /// Notes time spent waiting for records.
    pub(crate) fn idle(&mut self, time: Duration) {
        self.idle += time;
    }

    /// Publishes the time spent and the phase, a few times a second.
    pub(crate) fn publish(&mut self, phase: Phase) {
        if self.published.elapsed() < PUBLISH_EVERY {
            return;
        }
        self.published = Instant::now();
        let spent = [
            (Spent::Busy, std::mem::take(&mut self.busy)),
            (Spent::Idle, std::mem::take(&mut self.idle)),
            (Spent::Committing, std::mem::take(&mut self.committing)),
        ];
        let mut board = self.shared.board();
        let line = board.threads.entry(self.number).or_default();
        line.phase = phase.label();
        for (kind, time) in spent {
            self.thread.spend(kind, time);
            match kind {
                Spent::Busy => line.busy += time,
                Spent::Idle => line.idle += time,
                Spent::Committing | Spent::Blocked => line.committing += time,
            }
        }
    }

    /// Shows how far the inputs are processed, at most every 10 ms.
    pub(crate) fn positions(&mut self, tasks: &[OwnedTask]) {
        if self.positioned.elapsed() < POSITIONS_EVERY {
            return;
        }
        self.positioned = Instant::now();
        let mut board = self.shared.board();
        for owned in tasks {
            let Some(line) = board.tasks.get_mut(&owned.task.id()) else { continue };
            for (index, input) in owned.inputs.iter().enumerate() {
                let Some(state) = owned.task.input(index) else { continue };
                if let Some(shown) = line.inputs.iter_mut().find(|shown| shown.topic == input.topic) {
                    shown.position = state.next_offset;
                }
            }
        }
    }

    /// Shows RocksDB's figures of each store, every 2 s.
    pub(crate) fn stores(&mut self, tasks: &[OwnedTask]) {
        if self.stores_shown.elapsed() < STORES_EVERY {
            return;
        }
        self.stores_shown = Instant::now();
        for owned in tasks {
            match owned.store.properties() {
                Ok(found) => self.rocksdb(owned).set(&StoreSample {
                    memtable_bytes: found.memtable_bytes,
                    sst_bytes: found.sst_bytes,
                    pending_compaction_bytes: found.pending_compaction_bytes,
                    estimated_keys: found.estimated_keys,
                    background_errors: found.background_errors,
                    write_stopped: found.write_stopped,
                    ..StoreSample::default()
                }),
                Err(error) => tracing::debug!(%error, "figures of a store"),
            }
        }
    }

    fn rocksdb(&self, owned: &OwnedTask) -> RocksdbMetrics {
        self.metrics.rocksdb(&owned.store.metadata().subtopology, owned.task.id().partition)
    }

    /// Notes a batch and the latency of its last record until it was processed.
    pub(crate) fn processed(&mut self, records: usize, time: Duration, last_timestamp_ms: i64) {
        if records > 0 {
            self.busy += time;
            self.thread.batch(records, time);
            self.thread.processed(self.shared.clock.now().wall_ms, last_timestamp_ms);
        }
    }

    /// Notes a commit's duration.
    pub(crate) fn commit_took(&mut self, time: Duration) {
        self.committing += time;
        self.metrics.transactions().commit_took(time);
    }

    /// Counts what a transaction did; money counts only here, when it is applied.
    pub(crate) fn outcome(&mut self, outcome: &Outcome, tasks: &[OwnedTask]) {
        for &reason in &outcome.recycled {
            self.metrics.transactions().recycled(match reason {
                Reason::Impure => RecycleReason::Slow,
                Reason::Unknown => RecycleReason::Unknown,
                Reason::Hung => RecycleReason::Stuck,
                Reason::Fatal => RecycleReason::Error,
            });
            if reason == Reason::Unknown {
                self.metrics.transactions().ended(TransactionOutcome::Unknown);
            }
        }
        if outcome.committed {
            self.metrics.transactions().ended(TransactionOutcome::Committed);
        }
        if outcome.aborted {
            self.metrics.transactions().ended(TransactionOutcome::Aborted);
        }
        for (task, applied) in &outcome.applied {
            self.applied(*task, applied, tasks);
        }
        if outcome.committed || outcome.aborted {
            self.thread.publish();
            let mut board = self.shared.board();
            let line = board.threads.entry(self.number).or_default();
            line.committed += u64::from(outcome.committed);
            line.aborted += u64::from(outcome.aborted);
        }
    }

    fn applied(&mut self, task: TaskId, applied: &Applied, tasks: &[OwnedTask]) {
        let wall_ms = self.shared.clock.now().wall_ms;
        for (name, count) in applied.counters.iter() {
            if let Some(outcome) = name.strip_prefix(DEBITS) {
                if let Some(counter) = self.metrics.ledger().debits(outcome) {
                    counter.inc_by(count);
                }
            } else if name == "duplicates" {
                self.thread.duplicates(count);
            } else if name.ends_with("_ignored") {
                self.thread.dropped(Dropped::Ignored, count);
            }
        }
        for &timestamp_ms in &applied.timestamps_ms {
            self.thread.committed(wall_ms, timestamp_ms);
        }
        for (topic, records, bytes) in applied.inputs.iter() {
            self.topic(topic, Direction::Consumed).add(*records, *bytes);
        }
        for (topic, records, bytes) in applied.outputs_by_topic.iter() {
            self.topic(topic, Direction::Produced).add(*records, *bytes);
        }
        for (topic, code, count) in &applied.dead_letters_by_topic {
            self.metrics.dead_letters().add(topic, code, *count);
        }
        let Some(owned) = tasks.iter().find(|owned| owned.task.id() == task) else { return };
        let mut board = self.shared.board();
        let Some(line) = board.tasks.get_mut(&task) else { return };
        line.unflushed_rows = owned.store.rows_since_flush();
        for (index, input) in owned.inputs.iter().enumerate() {
            let Some(state) = owned.task.input(index) else { continue };
            if let Some(shown) = line.inputs.iter_mut().find(|shown| shown.topic == input.topic) {
                shown.position = state.next_offset;
                shown.committed = state.applied_offset;
                if let Some(&last) = applied.timestamps_ms.last() {
                    shown.last_record_ms = last;
                }
            }
        }
    }

    fn topic(&mut self, topic: &str, direction: Direction) -> &TopicMetrics {
        let key = format!("{topic} {direction:?}");
        self.topics.entry(key).or_insert_with(|| self.metrics.topic(topic, direction))
    }
}
