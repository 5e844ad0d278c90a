//! Why the judge could not judge. What it found wrong is no error but a difference in the report.

use std::path::PathBuf;

use rdkafka::error::KafkaError;
use thiserror::Error;

/// A source could not be read.
#[derive(Debug, Error)]
pub enum OracleError {
    /// Kafka refused or did not answer.
    #[error("{what}: {source}")]
    Kafka {
        /// What was being asked for.
        what: String,
        /// librdkafka's answer.
        source: KafkaError,
    },
    /// A topic does not exist.
    #[error("topic {topic} does not exist on the brokers given")]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// Co-partitioned topics differ in their partition counts.
    #[error("{topic} has {found} partitions, {other} has {expected}; they must be co-partitioned")]
    Partitions {
        /// One topic.
        topic: String,
        /// Its partitions.
        found: usize,
        /// The topic it must agree with.
        other: String,
        /// That one's partitions.
        expected: usize,
    },
    /// Reading stood still.
    #[error("nothing more of {topic} arrived for {seconds} s, its end is not reached")]
    Stalled {
        /// The topic.
        topic: String,
        /// How long nothing came.
        seconds: u64,
    },
    /// A RocksDB could not be read.
    #[error("RocksDB in {}: {source}", path.display())]
    Store {
        /// Its directory.
        path: PathBuf,
        /// RocksDB's answer.
        source: rocksdb::Error,
    },
    /// A state directory could not be listed.
    #[error("state directory {}: {source}", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// PostgreSQL refused or did not answer.
    #[error("PostgreSQL, {what}: {source}")]
    Postgres {
        /// What was being read.
        what: &'static str,
        /// The driver's answer.
        source: sqlx::Error,
    },
    /// A reading thread died.
    #[error("a reading thread died: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

impl OracleError {
    pub(crate) fn kafka(what: impl Into<String>) -> impl FnOnce(KafkaError) -> OracleError {
        move |source| OracleError::Kafka { what: what.into(), source }
    }

    pub(crate) fn postgres(what: &'static str) -> impl FnOnce(sqlx::Error) -> OracleError {
        move |source| OracleError::Postgres { what, source }
    }
}
