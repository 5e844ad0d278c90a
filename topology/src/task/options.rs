//! What a task is given when it is built: facts about the cluster, limits, and where it goes on.

use crate::changelog::{InputOffset, Marker, PunctuationDue, StoreTally};

/// Facts about the cluster and limits that a task needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOptions {
    /// Application id.
    pub app: String,
    /// Partition count of every input topic.
    pub input_partitions: u32,
    /// Partition count of every sink, in the order of [`crate::SubTopology::sinks`].
    pub sink_partitions: Vec<u32>,
    /// How far a record's timestamp may be ahead of the host's clock, ms (24 h unless configured).
    pub timestamp_max_ahead_ms: i64,
    /// Longest value that a dead letter carries, bytes; a longer one is cut. Key and headers over 64 KiB shorten it.
    pub dead_letter_value_bytes_max: usize,
    /// Most memory for committed values of stores that are held in memory, bytes; 0 holds none.
    pub held_bytes_max: usize,
}

/// Where a task goes on: from its marker, or from the start of its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Next offset of every input, any order.
    pub inputs: Vec<InputOffset>,
    /// Number of the task's transactions so far.
    pub sequence: u64,
    /// Greatest record timestamp seen, ms; -1 = none.
    pub stream_time_ms: i64,
    /// Due times of punctuators that have one.
    pub punctuations: Vec<PunctuationDue>,
    /// Tallies of the stores that keep one.
    pub tallies: Vec<StoreTally>,
}

impl From<Marker> for Restored {
    fn from(marker: Marker) -> Self {
        Self {
            inputs: marker.inputs,
            sequence: marker.sequence,
            stream_time_ms: marker.stream_time_ms,
            punctuations: marker.punctuations,
            tallies: marker.tallies,
        }
    }
}
