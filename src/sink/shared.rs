//! What the sink's threads and tasks share: settings, client, metrics, condition.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::BaseConsumer;
use tokio::sync::watch;

use super::batch::Partition;
use super::failure::Failure;
use super::metrics::{Metrics, PartitionMetrics};
use super::settings::Settings;
use super::status::{PartitionStatus, State, Status};
use super::topic_ids::TopicId;

/// How far the sink is in its life. Only ever moves down this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Finish the batch at hand, take no new one.
    Stopping,
    Closed,
    Failed(Failure),
}

/// Shared by all parts of one sink.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) sink_name: String,
    pub(super) consumer: Arc<BaseConsumer>,
    pub(super) metrics: Metrics,
    phase: watch::Sender<Phase>,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    partitions: BTreeMap<Arc<Partition>, Tracked>,
    /// Who has trouble now, by name.
    troubles: BTreeMap<String, Trouble>,
    last_error: Option<String>,
}

struct Trouble {
    since: Instant,
    attempts: u32,
}

struct Tracked {
    metrics: PartitionMetrics,
    next_offset: Option<i64>,
    topic_id: Option<TopicId>,
    end_offset: Option<i64>,
    /// Since when there has been lag.
    behind_since: Option<Instant>,
    /// Timestamp of the oldest record the writer holds.
    oldest_ms: Option<i64>,
}

impl Tracked {
    fn lag(&self) -> Option<i64> {
        Some(self.end_offset?.saturating_sub(self.next_offset?).max(0))
    }

    fn lag_seconds(&self, now_ms: i64) -> f64 {
        match (self.lag(), self.oldest_ms, self.behind_since) {
            (Some(0) | None, None, _) => 0.0,
            (_, Some(oldest), _) => seconds(now_ms.saturating_sub(oldest).max(0)),
            (_, None, since) => since.map_or(0.0, |since| since.elapsed().as_secs_f64()),
        }
    }

    fn refresh(&mut self) {
        match self.lag() {
            Some(lag) if lag > 0 => {
                self.behind_since.get_or_insert_with(Instant::now);
            }
            _ => self.behind_since = None,
        }
        if let Some(lag) = self.lag() {
            self.metrics.lag_offsets.set(lag);
        }
        self.metrics.lag_seconds.set(self.lag_seconds(now_ms()));
        if let Some(next) = self.next_offset {
            self.metrics.next_offset.set(next);
        }
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, consumer: BaseConsumer, metrics: Metrics) -> Self {
        let sink_name = settings.sink_name();
        let phase = watch::Sender::new(Phase::Running);
        Self { settings, sink_name, consumer: Arc::new(consumer), metrics, phase, board: Mutex::default() }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Every critical section leaves the board consistent at each of its steps.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_running(&self) -> bool {
        *self.phase.borrow() == Phase::Running
    }

    /// Whether reader and watcher should go on: they serve until the writers have finished.
    pub(super) fn is_served(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Running | Phase::Stopping)
    }

    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// The one gate of phases: the first failure stands, and nothing leaves `Failed` or `Closed`.
    pub(super) fn enter(&self, next: Phase) {
        let changed = self.phase.send_if_modified(|phase| {
            let legal = match phase {
                Phase::Running => next != Phase::Running,
                Phase::Stopping => matches!(next, Phase::Closed | Phase::Failed(_)),
                Phase::Closed | Phase::Failed(_) => false,
            };
            if legal {
                *phase = next.clone();
            }
            legal
        });
        if changed {
            match next {
                Phase::Failed(failure) => {
                    tracing::error!(sink = self.sink_name, %failure, "sink stopped");
                    self.board().last_error = Some(failure.to_string());
                }
                phase => tracing::info!(sink = self.sink_name, ?phase, "sink phase"),
            }
        }
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.enter(Phase::Failed(failure));
    }

    /// Notes that `who` cannot get on, for the attempt-th time.
    pub(super) fn trouble(&self, who: &str, attempts: u32, error: &str) {
        tracing::warn!(sink = self.sink_name, who, attempts, error, "sink is retrying");
        let mut board = self.board();
        board.last_error = Some(error.to_owned());
        let trouble = board.troubles.entry(who.to_owned());
        trouble.or_insert_with(|| Trouble { since: Instant::now(), attempts }).attempts = attempts;
    }

    /// Notes that `who` got on again.
    pub(super) fn relieve(&self, who: &str) {
        if self.board().troubles.remove(who).is_some() {
            tracing::info!(sink = self.sink_name, who, "sink has recovered");
        }
    }

    /// Notes an error that by itself stops nothing.
    pub(super) fn note(&self, error: String) {
        tracing::warn!(sink = self.sink_name, error, "sink");
        self.board().last_error = Some(error);
    }

    pub(super) fn track(&self, partition: &Arc<Partition>) {
        let metrics = self.metrics.of_partition(partition);
        self.board().partitions.entry(Arc::clone(partition)).or_insert_with(|| Tracked {
            metrics,
            next_offset: None,
            topic_id: None,
            end_offset: None,
            behind_since: None,
            oldest_ms: None,
        });
    }

    pub(super) fn untrack(&self, partition: &Arc<Partition>) {
        self.board().partitions.remove(partition);
        self.metrics.forget(partition);
    }

    fn tracked(&self, partition: &Arc<Partition>, change: impl FnOnce(&mut Tracked)) {
        if let Some(tracked) = self.board().partitions.get_mut(partition) {
            change(tracked);
            tracked.refresh();
        }
    }

    /// Notes where the partition stands in PostgreSQL.
    pub(super) fn at(&self, partition: &Arc<Partition>, topic_id: TopicId, next_offset: i64) {
        self.tracked(partition, |tracked| {
            tracked.next_offset = Some(next_offset);
            tracked.topic_id = Some(topic_id);
            tracked.oldest_ms = None;
        });
    }

    /// Notes that the writer holds records from this time on.
    pub(super) fn holds_since(&self, partition: &Arc<Partition>, oldest_ms: Option<i64>) {
        self.tracked(partition, |tracked| tracked.oldest_ms = oldest_ms);
    }

    /// Notes the last stable offset.
    pub(super) fn ends_at(&self, partition: &Arc<Partition>, end_offset: i64) {
        self.tracked(partition, |tracked| tracked.end_offset = Some(end_offset));
    }

    /// Returns the id of the partition's topic, as it was when the partition was taken.
    pub(super) fn topic_id(&self, partition: &Partition) -> Option<TopicId> {
        self.board().partitions.get(partition).and_then(|tracked| tracked.topic_id)
    }

    /// Returns every taken partition with its topic id and next offset.
    pub(super) fn positions(&self) -> Vec<(Arc<Partition>, TopicId, i64)> {
        let board = self.board();
        let taken = board.partitions.iter();
        taken.filter_map(|(p, t)| Some((Arc::clone(p), t.topic_id?, t.next_offset?))).collect()
    }

    pub(super) fn status(&self) -> Status {
        let board = self.board();
        let state = match &*self.phase.borrow() {
            Phase::Closed => State::Closed,
            Phase::Failed(failure) => State::Stopped(failure.clone()),
            Phase::Running | Phase::Stopping => match board.troubles.values().min_by_key(|t| t.since) {
                Some(trouble) => {
                    State::Retrying { elapsed: trouble.since.elapsed(), attempts: trouble.attempts }
                }
                None => State::Running,
            },
        };
        let now = now_ms();
        let partitions = board.partitions.iter().map(|(partition, tracked)| PartitionStatus {
            topic: partition.topic.clone(),
            partition: partition.number,
            next_offset: tracked.next_offset,
            end_offset: tracked.end_offset,
            lag: tracked.lag(),
            lag_seconds: tracked.lag_seconds(now),
        });
        Status { state, partitions: partitions.collect(), last_error: board.last_error.clone() }
    }
}

/// Stops the sink when the thread or task that holds it panics: the others must not go on as if nothing
/// happened, nor wait for ever.
pub(super) struct PanicGuard(pub(super) Arc<Shared>, pub(super) &'static str);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Failure::Bug(format!("the {} panicked", self.1)));
        }
    }
}

/// Wall clock, milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "an age in milliseconds is far below 2^52")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
