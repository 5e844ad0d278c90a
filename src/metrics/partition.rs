//! Where an input partition is read to, and how far that is behind.

use std::sync::Arc;

use prometheus::{Error, Gauge, GaugeVec, IntGauge, IntGaugeVec};

use super::family::{Families, forget};

const LABELS: [&str; 2] = ["topic", "partition"];

/// The families, by topic and partition.
pub(super) struct PartitionFamilies {
    position: IntGaugeVec,
    committed: IntGaugeVec,
    last_stable: IntGaugeVec,
    high_watermark: IntGaugeVec,
    log_start: IntGaugeVec,
    lag_offsets: IntGaugeVec,
    lag_seconds: GaugeVec,
    last_record: GaugeVec,
}

impl PartitionFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let offsets = |name: &str, help: &str| families.int_gauges(name, help, &LABELS);
        Ok(Self {
            position: offsets("source_position_offset", "Next offset that will be read.")?,
            committed: offsets("source_committed_offset", "Next offset as last committed by the group.")?,
            last_stable: offsets(
                "source_last_stable_offset",
                "Offset up to which every transaction is ended; committed reads end here.",
            )?,
            high_watermark: offsets(
                "source_high_watermark_offset",
                "Offset of the next record to be written.",
            )?,
            log_start: offsets("source_log_start_offset", "First offset that retention has left.")?,
            lag_offsets: offsets(
                "source_lag_offsets",
                "Offsets from the committed to the last stable one; an upper bound of the records, \
                 0 when drained.",
            )?,
            lag_seconds: families.gauges(
                "source_lag_seconds",
                "Age of the oldest record that is not yet processed; 0 when drained.",
                &LABELS,
            )?,
            last_record: families.gauges(
                "source_last_record_timestamp_seconds",
                "Timestamp of the last processed record, seconds since the epoch; 0 before the first.",
                &LABELS,
            )?,
        })
    }
}

/// Where an input partition stands; offsets are -1 where unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceSample {
    /// Next offset that will be read.
    pub position: i64,
    /// Next offset as committed.
    pub committed: i64,
    /// Last stable offset.
    pub last_stable: i64,
    /// High watermark.
    pub high_watermark: i64,
    /// First offset that is left.
    pub log_start: i64,
}

/// The series of one input partition, kept by the thread that owns it.
pub struct PartitionMetrics {
    families: Arc<PartitionFamilies>,
    labels: [String; 2],
    offsets: [IntGauge; 5],
    lag_offsets: IntGauge,
    lag_seconds: Gauge,
    last_record: Gauge,
}

impl PartitionMetrics {
    pub(super) fn new(families: Arc<PartitionFamilies>, topic: &str, partition: i32) -> Self {
        let labels = [topic.to_owned(), partition.to_string()];
        let offsets = [
            &families.position,
            &families.committed,
            &families.last_stable,
            &families.high_watermark,
            &families.log_start,
        ];
        Self {
            offsets: offsets.map(|family| family.with_label_values(&labels)),
            lag_offsets: families.lag_offsets.with_label_values(&labels),
            lag_seconds: families.lag_seconds.with_label_values(&labels),
            last_record: families.last_record.with_label_values(&labels),
            families,
            labels,
        }
    }

    /// Shows where the partition stands. Unknown (negative) offsets leave the last known ones: a -1 would
    /// spoil sums.
    ///
    /// The lag is that of [`SourceSample::lag`].
    pub fn set(&self, sample: &SourceSample) {
        let SourceSample { position, committed, last_stable, high_watermark, log_start } = *sample;
        let values = [position, committed, last_stable, high_watermark, log_start];
        for (gauge, value) in self.offsets.iter().zip(values).filter(|(_, value)| *value >= 0) {
            gauge.set(value);
        }
        if let Some(lag) = sample.lag() {
            self.lag_offsets.set(lag);
        }
    }

    /// Shows the age of the oldest record that is not yet processed, in seconds; a clock behind counts as 0.
    pub fn set_lag_seconds(&self, seconds: f64) {
        self.lag_seconds.set(seconds.max(0.0));
    }

    /// Shows the timestamp of the last processed record, in milliseconds since the epoch.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since the epoch fit 53 bits for 280,000 years"
    )]
    pub fn set_last_record(&self, timestamp_ms: i64) {
        self.last_record.set(timestamp_ms as f64 / 1_000.0);
    }

    /// Removes the series: the partition is another process's now, and two that show it would be summed.
    pub fn remove(self) {
        let values = &self.labels;
        let all = &self.families;
        forget!(values; all.position, all.committed, all.last_stable, all.high_watermark, all.log_start);
        forget!(values; all.lag_offsets, all.lag_seconds, all.last_record);
    }
}

impl SourceSample {
    /// Returns the offsets from the committed one to the last stable one, or from the first that is left
    /// where
    /// nothing is committed; `None` while the ends are unknown.
    #[must_use]
    pub fn lag(&self) -> Option<i64> {
        let from = if self.committed >= 0 { self.committed } else { self.log_start };
        (from >= 0 && self.last_stable >= 0).then(|| (self.last_stable - from).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAINED: SourceSample =
        SourceSample { position: 7, committed: 7, last_stable: 7, high_watermark: 9, log_start: 2 };

    #[test]
    fn lag_ends_at_the_last_stable_offset_and_begins_at_the_log_start_without_a_commit() {
        assert_eq!(DRAINED.lag(), Some(0));
        assert_eq!(SourceSample { committed: 3, ..DRAINED }.lag(), Some(4));
        assert_eq!(SourceSample { committed: -1, ..DRAINED }.lag(), Some(5));
        assert_eq!(SourceSample { committed: 8, ..DRAINED }.lag(), Some(0));
        assert_eq!(SourceSample { last_stable: -1, ..DRAINED }.lag(), None);
        assert_eq!(SourceSample { committed: -1, log_start: -1, ..DRAINED }.lag(), None);
    }
}
