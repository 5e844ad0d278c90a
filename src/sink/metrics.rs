//! Metrics of the sink. Registered once per process.

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::batch::Partition;
use super::rows::Table;

/// All series of the sink.
pub(super) struct Metrics {
    lag_offsets: IntGaugeVec,
    lag_seconds: GaugeVec,
    next_offset: IntGaugeVec,
    rows: IntCounterVec,
    pub(super) batch_rows: Histogram,
    pub(super) flush_seconds: Histogram,
    pub(super) retries: IntCounter,
    pub(super) duplicates_skipped: IntCounter,
}

impl Metrics {
    /// Creates and registers every series.
    ///
    /// # Errors
    /// [`prometheus::Error`] when the registry already has series of these names.
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let labels = &["topic", "partition"];
        let opts = |name: &str, help: &str| Opts::new(format!("millpond_{name}"), help);
        let histogram = |name: &str, help: &str, buckets| {
            let (name, help) = (format!("millpond_{name}"), help);
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))
        };
        let metrics = Self {
            lag_offsets: IntGaugeVec::new(
                opts("sink_lag_offsets", "Committed offsets not yet written."),
                labels,
            )?,
            lag_seconds: GaugeVec::new(
                opts("sink_lag_seconds", "Age of the oldest record not written."),
                labels,
            )?,
            next_offset: IntGaugeVec::new(opts("sink_next_offset", "Next offset to be written."), labels)?,
            rows: IntCounterVec::new(opts("sink_rows_total", "Rows written, by table."), &["table"])?,
            batch_rows: histogram(
                "sink_batch_rows",
                "Records per committed database transaction.",
                prometheus::exponential_buckets(1.0, 2.0, 13)?,
            )?,
            flush_seconds: histogram(
                "sink_flush_duration_seconds",
                "Time from BEGIN to the reply to COMMIT.",
                prometheus::exponential_buckets(0.001, 2.0, 15)?,
            )?,
            retries: IntCounter::with_opts(opts("sink_retries_total", "Batches tried again."))?,
            duplicates_skipped: IntCounter::with_opts(opts(
                "sink_duplicates_skipped_total",
                "Records left out because PostgreSQL already had them.",
            ))?,
        };
        registry.register(Box::new(metrics.lag_offsets.clone()))?;
        registry.register(Box::new(metrics.lag_seconds.clone()))?;
        registry.register(Box::new(metrics.next_offset.clone()))?;
        registry.register(Box::new(metrics.rows.clone()))?;
        registry.register(Box::new(metrics.batch_rows.clone()))?;
        registry.register(Box::new(metrics.flush_seconds.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.duplicates_skipped.clone()))?;
        for table in Table::ALL {
            metrics.rows.with_label_values(&[table.name()]);
        }
        Ok(metrics)
    }

    /// Returns the series of one partition, creating them at 0.
    pub(super) fn of_partition(&self, partition: &Partition) -> PartitionMetrics {
        let number = partition.number.to_string();
        let labels = [partition.topic.as_str(), number.as_str()];
        PartitionMetrics {
            lag_offsets: self.lag_offsets.with_label_values(&labels),
            lag_seconds: self.lag_seconds.with_label_values(&labels),
            next_offset: self.next_offset.with_label_values(&labels),
        }
    }

    /// Removes the series of a partition that is no longer this sink's.
    pub(super) fn forget(&self, partition: &Partition) {
        let number = partition.number.to_string();
        let labels = [partition.topic.as_str(), number.as_str()];
        // An error only says that there were none.
        let _ = self.lag_offsets.remove_label_values(&labels);
        let _ = self.lag_seconds.remove_label_values(&labels);
        let _ = self.next_offset.remove_label_values(&labels);
    }

    /// Counts rows that are committed.
    pub(super) fn count_rows(&self, table: Table, rows: usize) {
        self.rows.with_label_values(&[table.name()]).inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
    }
}

/// Series of one partition.
pub(super) struct PartitionMetrics {
    pub(super) lag_offsets: IntGauge,
    pub(super) lag_seconds: Gauge,
    pub(super) next_offset: IntGauge,
}
