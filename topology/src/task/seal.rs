//! The sealed content of a transaction, as the edge produces it, and what is known once it is applied.

use super::outputs::OutputRun;
use crate::changelog::Marker;
use crate::record::RawRecord;
use crate::task::{Counters, Task};
use crate::task_id::TaskId;

/// An offset that a transaction sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetToSend {
    /// Input topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Next offset, >= 0.
    pub offset: i64,
}

/// Everything of a task that goes into a transaction. Borrowed: nothing is copied before it is produced.
pub struct Sealed<'t, R> {
    pub(super) task: &'t Task<R>,
    pub(super) marker: &'t Marker,
    pub(super) marker_bytes: &'t [u8],
    pub(super) order: &'t [usize],
}

impl<'t, R: RawRecord> Sealed<'t, R> {
    /// Returns the task.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.task.id()
    }

    /// Iterates over the output runs as (topic, partition, run).
    pub fn outputs(&self) -> impl Iterator<Item = (&'t str, u32, &'t OutputRun)> + use<'t, R> {
        let task = self.task;
        task.output_runs()
    }

    /// Iterates over the after-images in key order (`None` = deleted), without the marker.
    pub fn images(&self) -> impl ExactSizeIterator<Item = (&'t [u8], Option<&'t [u8]>)> + use<'t, R> {
        let task = self.task;
        self.order.iter().map(move |&at| task.image(at).unwrap_or_default())
    }

    /// Returns the marker.
    #[must_use]
    pub fn marker(&self) -> &'t Marker {
        self.marker
    }

    /// Returns the marker's encoding.
    #[must_use]
    pub fn marker_bytes(&self) -> &'t [u8] {
        self.marker_bytes
    }

    /// Returns the offsets to send: exactly those in the marker.
    #[must_use]
    pub fn offsets(&self) -> Vec<OffsetToSend> {
        let partition = self.task.id().partition;
        let offsets = self.marker.inputs.iter();
        offsets
            .map(|input| OffsetToSend { topic: input.topic.clone(), partition, offset: input.next_offset })
            .collect()
    }

    /// Returns the number of changelog records: after-images and the marker.
    #[must_use]
    pub fn changelog_records(&self) -> usize {
        self.order.len() + 1
    }
}

/// What an applied transaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Input records processed.
    pub records: u64,
    /// Input records that became dead letters, by reason code.
    pub dead_letters: Counters,
    /// The same by input topic: topic, reason code, count.
    pub dead_letters_by_topic: Vec<(String, &'static str, u64)>,
    /// Output records, dead letters included.
    pub outputs: u64,
    /// After-images.
    pub images: u64,
    /// Per input topic: records and bytes of keys and values processed.
    pub inputs: Vec<(String, u64, u64)>,
    /// Per output topic: records and bytes, dead letters included.
    pub outputs_by_topic: Vec<(String, u64, u64)>,
    /// Timestamps of a sample of the processed records: every 64th of each input and its last, ms since the
    /// epoch.
    pub timestamps_ms: Vec<i64>,
    /// What processors counted.
    pub counters: Counters,
}
