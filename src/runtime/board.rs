//! What the instance shows of itself: filled by the threads, read by HTTP and metrics.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millpond_topology::TaskId;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskPhase {
    /// Waiting for, or in, its restore.
    #[default]
    Restoring,
    /// Processing.
    Running,
    /// Being handed over or stopped.
    Closing,
}

/// One input of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputLine {
    /// Topic.
    pub topic: String,
    /// Next offset to process.
    pub position: i64,
    /// Committed offset.
    pub committed: i64,
    /// First offset of the log.
    pub log_start: i64,
    /// Last stable offset.
    pub last_stable: i64,
    /// High watermark.
    pub high_watermark: i64,
    /// Timestamp of the last applied record, ms; 0 = none.
    pub last_record_ms: i64,
}

impl InputLine {
    /// Returns the lag: stable offsets not yet committed; 0 when drained.
    #[must_use]
    pub fn lag(&self) -> i64 {
        (self.last_stable - self.committed).max(0)
    }
}

/// One task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskLine {
    /// Where it is.
    pub phase: TaskPhase,
    /// Changelog offsets restored so far.
    pub restore_done: u64,
    /// Changelog offsets to restore in all.
    pub restore_total: u64,
    /// Changelog records that were read in this restore.
    pub restored_records: u64,
    /// Offset that the restore began at.
    pub restore_from: i64,
    /// How long the restore took or has taken so far, ms.
    pub restore_ms: u64,
    /// Changelog rows applied since the store was last flushed: what a crash at this moment would replay.
    pub unflushed_rows: u64,
    /// Stream thread.
    pub thread: usize,
    /// Inputs.
    pub inputs: Vec<InputLine>,
}

/// One stream thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadLine {
    /// Transactions committed.
    pub committed: u64,
    /// Transactions aborted.
    pub aborted: u64,
    /// Phase of the commit machine.
    pub phase: &'static str,
    /// Time spent processing.
    pub busy: Duration,
    /// Time spent waiting for records.
    pub idle: Duration,
    /// Time spent committing.
    pub committing: Duration,
}

/// What a stream thread waits for before it can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Since when.
    pub since: Instant,
    /// For what, for a person.
    pub what: String,
}

/// The whole instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Board {
    /// Generation of the group; -1 = none.
    pub generation: i32,
    /// Member id.
    pub member: String,
    /// Rebalances seen.
    pub rebalances: u64,
    /// Tasks.
    pub tasks: BTreeMap<TaskId, TaskLine>,
    /// Stream threads.
    pub threads: BTreeMap<usize, ThreadLine>,
    /// What keeps the instance from being ready, for a person.
    pub notes: BTreeMap<&'static str, String>,
    /// What the stream threads wait for, by their names; those that go on are absent.
    pub waits: BTreeMap<String, Wait>,
}
