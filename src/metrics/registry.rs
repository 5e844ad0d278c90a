//! All the series of a process.

use std::sync::Arc;

use prometheus::{Error, Histogram, Registry, TextEncoder};

use super::dead_letters::DeadLetterMetrics;
use super::family::Families;
use super::ledger::LedgerMetrics;
use super::lifecycle::LifecycleMetrics;
use super::partition::{PartitionFamilies, PartitionMetrics};
use super::restore::{RestoreFamilies, RestoreMetrics};
use super::rocksdb::{RocksdbFamilies, RocksdbMetrics};
use super::thread::{ThreadFamilies, ThreadMetrics};
use super::topic::{Direction, TopicFamilies, TopicMetrics};
use super::transaction::TransactionMetrics;

/// What is known of the process before it runs; the series that it names begin at 0.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Application id.
    pub app: String,
    /// Version of millpond.
    pub version: String,
    /// Hash of the topology.
    pub topology: String,
    /// Input topics.
    pub topics: Vec<String>,
    /// Reasons for which a record becomes a dead letter.
    pub dead_letter_reasons: Vec<&'static str>,
    /// Outcomes of a debit.
    pub debit_outcomes: Vec<&'static str>,
}

/// All the series of a process, in a registry that others, such as the sink, add theirs to.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    partitions: Arc<PartitionFamilies>,
    topics: Arc<TopicFamilies>,
    threads: Arc<ThreadFamilies>,
    restores: Arc<RestoreFamilies>,
    rocksdb: Arc<RocksdbFamilies>,
    transactions: TransactionMetrics,
    dead_letters: DeadLetterMetrics,
    lifecycle: LifecycleMetrics,
    ledger: LedgerMetrics,
}

impl Metrics {
    /// Makes the series and registers them in a new registry.
    ///
    /// # Errors
    /// A label of `about` is not one that Prometheus takes.
    pub fn new(about: &About) -> Result<Self, Error> {
        let registry = Registry::new();
        let families = Families(&registry);
        let build = families.int_gauges("build_info", "1; what runs here.", &["version"])?;
        build.get_metric_with_label_values(&[about.version.as_str()])?.set(1);
        let topology =
            families.int_gauges("topology_info", "1; the topology that runs here.", &["app", "hash"])?;
        topology.get_metric_with_label_values(&[about.app.as_str(), about.topology.as_str()])?.set(1);
        Ok(Self {
            partitions: Arc::new(PartitionFamilies::new(&families)?),
            topics: Arc::new(TopicFamilies::new(&families)?),
            threads: Arc::new(ThreadFamilies::new(&families)?),
            restores: Arc::new(RestoreFamilies::new(&families)?),
            rocksdb: Arc::new(RocksdbFamilies::new(&families)?),
            transactions: TransactionMetrics::new(&families)?,
            dead_letters: DeadLetterMetrics::new(&families, &about.topics, &about.dead_letter_reasons)?,
            lifecycle: LifecycleMetrics::new(&families)?,
            ledger: LedgerMetrics::new(&families, &about.debit_outcomes)?,
            registry,
        })
    }

    /// Returns the registry, for those who add series of their own.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Makes the series of an input partition.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> PartitionMetrics {
        PartitionMetrics::new(Arc::clone(&self.partitions), topic, partition)
    }

    /// Makes the series of a topic in one direction.
    #[must_use]
    pub fn topic(&self, topic: &str, direction: Direction) -> TopicMetrics {
        self.topics.topic(topic, direction)
    }

    /// Makes the series of the stream thread of this index.
    #[must_use]
    pub fn thread(&self, index: usize) -> ThreadMetrics {
        self.threads.thread(index)
    }

    /// Makes the series of the restore of a task.
    #[must_use]
    pub fn restore(&self, sub_topology: &str, partition: u32) -> RestoreMetrics {
        RestoreMetrics::new(Arc::clone(&self.restores), sub_topology, partition)
    }

    /// Makes the series of the database of a task.
    #[must_use]
    pub fn rocksdb(&self, sub_topology: &str, partition: u32) -> RocksdbMetrics {
        RocksdbMetrics::new(Arc::clone(&self.rocksdb), sub_topology, partition)
    }

    /// Shows how full the shared block cache is.
    pub fn rocksdb_cache(&self, used_bytes: u64, capacity_bytes: u64) {
        self.rocksdb.set_cache(used_bytes, capacity_bytes);
    }

    /// Returns the series of transactions.
    #[must_use]
    pub fn transactions(&self) -> &TransactionMetrics {
        &self.transactions
    }

    /// Returns the counters of dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> &DeadLetterMetrics {
        &self.dead_letters
    }

    /// Returns the series of the instance's life.
    #[must_use]
    pub fn lifecycle(&self) -> &LifecycleMetrics {
        &self.lifecycle
    }

    /// Returns the business counters.
    #[must_use]
    pub fn ledger(&self) -> &LedgerMetrics {
        &self.ledger
    }

    /// Returns the histogram of seconds from a record's timestamp to its row in the database, for the sink.
    #[must_use]
    pub fn sink_latency(&self) -> Histogram {
        self.threads.e2e("sink")
    }
}

/// Returns every series of `registry` in Prometheus's text format 0.0.4.
///
/// # Errors
/// A series has no name or no value, which its registration excludes.
pub fn render(registry: &Registry) -> Result<String, Error> {
    TextEncoder::new().encode_to_string(&registry.gather())
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
