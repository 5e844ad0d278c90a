//! What a process says of itself: the JSON of `/status`.

use std::time::Duration;

use serde::Serialize;

use crate::metrics::{InstanceState, TaskPhase};

/// Whoever can tell how the process is. Called for every request, from the HTTP threads: it must not block.
pub trait StatusSource: Send + Sync {
    /// Returns how the process is at this moment.
    fn status(&self) -> Status;
}

/// How a process is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Application id.
    pub app: String,
    /// Instance id.
    pub instance: String,
    /// Version of millpond.
    pub version: String,
    /// Hash of the topology.
    pub topology: String,
    /// What the instance is doing.
    pub state: InstanceState,
    /// Generation of the group; `None` before the first assignment.
    pub generation: Option<i32>,
    /// Member id in the group; `None` before the first assignment.
    pub member: Option<String>,
    /// Seconds since the process started.
    pub uptime_seconds: f64,
    /// Tasks of this process.
    pub tasks: Vec<TaskStatus>,
    /// Stream threads of this process.
    pub threads: Vec<ThreadStatus>,
    /// What stream threads wait for; those that go on are absent.
    pub waits: Vec<WaitStatus>,
    /// The PostgreSQL sink, where this process runs it.
    pub sink: Option<SinkStatus>,
    /// The most recent error, even if it is over.
    pub last_error: Option<String>,
    /// Which loop has made no progress, and for how long; `None` while all do.
    pub wedged: Option<String>,
    /// Why the process cannot go on; `None` while it can.
    pub fatal: Option<String>,
}

impl Status {
    /// Makes the status of a process that has just started.
    #[must_use]
    pub fn starting(app: &str, instance: &str) -> Self {
        Self {
            app: app.to_owned(),
            instance: instance.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            topology: String::new(),
            state: InstanceState::Created,
            generation: None,
            member: None,
            uptime_seconds: 0.0,
            tasks: vec![],
            threads: vec![],
            waits: vec![],
            sink: None,
            last_error: None,
            wedged: None,
            fatal: None,
        }
    }
}

/// What a stream thread waits for before it can go on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitStatus {
    /// Name of the thread.
    pub thread: String,
    /// For how long, seconds.
    pub seconds: f64,
    /// For what.
    pub what: String,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// Task id, `0_3`.
    pub id: String,
    /// Name of its sub-topology.
    pub sub_topology: String,
    /// `processor` or `sink`.
    pub role: String,
    /// What it is doing.
    pub state: TaskState,
    /// Its store.
    pub store: StoreStatus,
    /// Its input partitions.
    pub inputs: Vec<InputStatus>,
}

/// The store of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// Changelog rows applied since the last flush: what a crash at this moment would replay.
    pub unflushed_rows: u64,
    /// Changelog offset that the restore of this acquisition began at.
    pub restored_from: i64,
    /// Changelog records that it replayed.
    pub restored_records: u64,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub enum TaskState {
    /// It is assigned and not yet open.
    Created,
    /// Its stores are being brought up to date.
    Restoring(Progress),
    /// It processes records.
    Running,
    /// It is being handed over or closed.
    Closing,
}

impl TaskState {
    /// Returns the phase without its data.
    #[must_use]
    pub const fn phase(&self) -> TaskPhase {
        match self {
            Self::Created => TaskPhase::Created,
            Self::Restoring(_) => TaskPhase::Restoring,
            Self::Running => TaskPhase::Running,
            Self::Closing => TaskPhase::Closing,
        }
    }
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Changelog offsets read.
    pub done: u64,
    /// Changelog offsets to read, those read included; 0 while it is not yet known.
    pub total: u64,
    /// Offsets per second, lately; 0 before the first.
    pub rate: f64,
}

impl Progress {
    /// Returns the share that is done, 0 to 1; `None` while the total is not known.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).min(1.0))
    }

    /// Returns the time left at the present rate; `None` without a rate.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
    pub fn left(&self) -> Option<Duration> {
        let rest = self.total.saturating_sub(self.done) as f64;
        (self.rate > 0.0).then(|| Duration::try_from_secs_f64(rest / self.rate).ok()).flatten()
    }
}

/// An input partition; offsets are `None` while unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InputStatus {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Next offset to be read.
    pub position: Option<i64>,
    /// Next offset as committed.
    pub committed: Option<i64>,
    /// Offset up to which every transaction is ended.
    pub last_stable: Option<i64>,
    /// Offset of the next record to be written.
    pub high_watermark: Option<i64>,
    /// Offsets from the committed to the last stable one, 0 when drained.
    pub lag: Option<i64>,
    /// Age of the oldest record not yet processed, in seconds, 0 when drained.
    pub lag_seconds: Option<f64>,
}

/// A stream thread.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadStatus {
    /// Index, from 0.
    pub id: usize,
    /// State of its transaction, in the words of the engine.
    pub state: String,
    /// Tasks it runs.
    pub tasks: Vec<String>,
    /// Seconds spent processing.
    pub busy_seconds: f64,
    /// Seconds spent waiting for records.
    pub idle_seconds: f64,
    /// Seconds spent waiting for anything else.
    pub blocked_seconds: f64,
    /// Seconds spent committing.
    pub committing_seconds: f64,
    /// Transactions committed.
    pub committed: u64,
    /// Transactions aborted.
    pub aborted: u64,
}

/// The PostgreSQL sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkStatus {
    /// Condition as a whole.
    pub state: SinkState,
    /// Its partitions.
    pub partitions: Vec<SinkPartition>,
    /// The most recent error, even if it is over.
    pub last_error: Option<String>,
}

/// Condition of the sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub enum SinkState {
    /// Reading and writing, or waiting for records.
    Running,
    /// PostgreSQL or Kafka is unwell; the same work is repeated until it succeeds.
    Retrying {
        /// Seconds since the first failure.
        seconds: f64,
        /// Attempts without success.
        attempts: u32,
    },
    /// It stopped by itself.
    Stopped {
        /// Why, and what to do.
        reason: String,
    },
    /// It was shut down.
    Closed,
}

/// A partition of the sink; offsets are `None` while unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Next offset to be written, as PostgreSQL has it.
    pub next_offset: Option<i64>,
    /// Last stable offset.
    pub last_stable: Option<i64>,
    /// Offsets between the two, 0 when drained.
    pub lag: Option<i64>,
    /// Age of the oldest record not yet written, in seconds.
    pub lag_seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_share_and_time_left_only_when_they_are_known() {
        let progress = Progress { done: 25, total: 100, rate: 50.0 };
        assert_eq!(progress.share(), Some(0.25));
        assert_eq!(progress.left(), Some(Duration::from_millis(1_500)));
        assert_eq!(Progress { total: 0, ..progress }.share(), None);
        assert_eq!(Progress { rate: 0.0, ..progress }.left(), None);
        assert_eq!(Progress { done: 200, ..progress }.share(), Some(1.0));
    }
}
