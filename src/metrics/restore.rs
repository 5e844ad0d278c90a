//! How far the restore of a task is: known and done, from which share and time left follow.

use std::sync::Arc;

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::family::{Families, forget};

const LABELS: [&str; 2] = ["store", "partition"];

/// The families, by sub-topology and partition.
pub(super) struct RestoreFamilies {
    position: IntGaugeVec,
    end: IntGaugeVec,
    active: IntGaugeVec,
    records: IntCounterVec,
}

impl RestoreFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let gauges = |name: &str, help: &str| families.int_gauges(name, help, &LABELS);
        Ok(Self {
            position: gauges("restore_position_offset", "Next changelog offset that the restore will read.")?,
            end: gauges("restore_end_offset", "Changelog offset at which the restore ends.")?,
            active: gauges("restore_active", "1 while the restore runs.")?,
            records: families.counters("restore_records_total", "Changelog records restored.", &LABELS)?,
        })
    }
}

/// The series of one task's restore; `store` is the sub-topology, whose stores share a changelog.
pub struct RestoreMetrics {
    families: Arc<RestoreFamilies>,
    labels: [String; 2],
    position: IntGauge,
    end: IntGauge,
    active: IntGauge,
    records: IntCounter,
}

impl RestoreMetrics {
    pub(super) fn new(families: Arc<RestoreFamilies>, sub_topology: &str, partition: u32) -> Self {
        let labels = [sub_topology.to_owned(), partition.to_string()];
        Self {
            position: families.position.with_label_values(&labels),
            end: families.end.with_label_values(&labels),
            active: families.active.with_label_values(&labels),
            records: families.records.with_label_values(&labels),
            families,
            labels,
        }
    }

    /// Shows how far the restore is and counts what it restored since the last call.
    pub fn advance(&self, position: i64, end: i64, records: u64) {
        self.active.set(1);
        self.position.set(position);
        self.end.set(end);
        self.records.inc_by(records);
    }

    /// Shows that the restore is over.
    pub fn finish(&self) {
        self.active.set(0);
    }

    /// Removes the series: the task is another process's now.
    pub fn remove(self) {
        let all = &self.families;
        forget!(&self.labels; all.position, all.end, all.active, all.records);
    }
}
