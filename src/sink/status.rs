//! What the sink says about itself, for `/readyz` and `/status`.

use std::time::Duration;

use super::failure::Failure;

/// Condition of the sink as a whole.
///
/// ```text
/// Running ◀──▶ Retrying
///    │            │
///    ├────────────┴──▶ Stopped   (by itself: cannot prove that it is right)
///    └───────────────▶ Closed    (asked to)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Reading and writing, or waiting for records.
    Running,
    /// PostgreSQL or Kafka is unwell; the same work is repeated until it succeeds.
    Retrying {
        /// How long this has been going on.
        elapsed: Duration,
        /// Attempts without success.
        attempts: u32,
    },
    /// Stopped by itself; the process should end with this message.
    Stopped(Failure),
    /// Shut down as asked.
    Closed,
}

/// One partition of the sink.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionStatus {
    /// Name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Next offset to be written, as PostgreSQL has it; `None` while the partition is being taken.
    pub next_offset: Option<i64>,
    /// Last stable offset; `None` until it was asked for.
    pub end_offset: Option<i64>,
    /// Offsets between the two, 0 when drained.
    pub lag: Option<i64>,
    /// Age of the oldest record not yet written, seconds.
    pub lag_seconds: f64,
}

/// A snapshot of the sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Condition as a whole.
    pub state: State,
    /// Every partition of the target, in order.
    pub partitions: Vec<PartitionStatus>,
    /// The most recent error, even if it is over.
    pub last_error: Option<String>,
}

impl Status {
    /// Whether the sink writes, or could: it is running and has taken every partition it was given.
    pub fn is_ready(&self) -> bool {
        self.state == State::Running
            && self.partitions.iter().all(|partition| partition.next_offset.is_some())
    }

    /// Whether everything committed so far is in PostgreSQL.
    pub fn is_drained(&self) -> bool {
        self.is_ready() && self.partitions.iter().all(|partition| partition.lag == Some(0))
    }
}
