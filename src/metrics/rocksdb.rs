//! RocksDB's own figures, by task; the cache and the write-buffer budget are shared and shown once.

use std::sync::Arc;

use prometheus::{Error, IntGauge, IntGaugeVec};

use super::family::{Families, forget};

const LABELS: [&str; 2] = ["store", "partition"];

/// Figures of one task's database, from RocksDB's properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSample {
    /// Bytes of the active and the unflushed memtables.
    pub memtable_bytes: u64,
    /// Bytes of index and filter blocks outside the cache.
    pub table_readers_bytes: u64,
    /// Bytes of the live SST files.
    pub sst_bytes: u64,
    /// Bytes that compaction still has to rewrite.
    pub pending_compaction_bytes: u64,
    /// Keys, as RocksDB estimates them.
    pub estimated_keys: u64,
    /// Background errors since the database was opened.
    pub background_errors: u64,
    /// 1 while writes are stopped, else 0.
    pub write_stopped: u64,
}

/// The families, by sub-topology and partition.
pub(super) struct RocksdbFamilies {
    by_task: [IntGaugeVec; 7],
    cache_used: IntGauge,
    cache_capacity: IntGauge,
}

impl RocksdbFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let gauges = |name: &str, help: &str| families.int_gauges(name, help, &LABELS);
        Ok(Self {
            by_task: [
                gauges("rocksdb_memtable_bytes", "Bytes of the active and the unflushed memtables.")?,
                gauges("rocksdb_table_readers_bytes", "Bytes of index and filter blocks outside the cache.")?,
                gauges("rocksdb_sst_bytes", "Bytes of the live SST files.")?,
                gauges("rocksdb_pending_compaction_bytes", "Bytes that compaction still has to rewrite.")?,
                gauges("rocksdb_estimated_keys", "Keys, as RocksDB estimates them.")?,
                gauges("rocksdb_background_errors", "Background errors since the database was opened.")?,
                gauges("rocksdb_write_stopped", "1 while RocksDB has stopped writes.")?,
            ],
            cache_used: families
                .int_gauge("rocksdb_block_cache_bytes", "Bytes in the shared block cache.")?,
            cache_capacity: families.int_gauge(
                "rocksdb_block_cache_capacity_bytes",
                "Most bytes of the shared block cache, write buffers charged to it included.",
            )?,
        })
    }

    pub(super) fn set_cache(&self, used_bytes: u64, capacity_bytes: u64) {
        self.cache_used.set(shown(used_bytes));
        self.cache_capacity.set(shown(capacity_bytes));
    }
}

/// The series of one task's database.
pub struct RocksdbMetrics {
    families: Arc<RocksdbFamilies>,
    labels: [String; 2],
    gauges: [IntGauge; 7],
}

impl RocksdbMetrics {
    pub(super) fn new(families: Arc<RocksdbFamilies>, sub_topology: &str, partition: u32) -> Self {
        let labels = [sub_topology.to_owned(), partition.to_string()];
        let gauges = families.by_task.each_ref().map(|family| family.with_label_values(&labels));
        Self { families, labels, gauges }
    }

    /// Shows a sample. Called by a timer, since the properties cost a lock each.
    pub fn set(&self, sample: &StoreSample) {
        let values = [
            sample.memtable_bytes,
            sample.table_readers_bytes,
            sample.sst_bytes,
            sample.pending_compaction_bytes,
            sample.estimated_keys,
            sample.background_errors,
            sample.write_stopped,
        ];
        for (gauge, value) in self.gauges.iter().zip(values) {
            gauge.set(shown(value));
        }
    }

    /// Removes the series: the task is another process's now.
    pub fn remove(self) {
        for family in &self.families.by_task {
            forget!(&self.labels; family);
        }
    }
}

fn shown(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
