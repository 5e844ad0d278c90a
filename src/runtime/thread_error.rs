//! Why a stream thread ends the process.

use millpond_state::StorageError;
use millpond_topology::{TaskError, TaskId};

use super::lane_error::LaneError;
use crate::kafka::CallError;

/// Why a thread ends the process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThreadError {
    /// The transaction path.
    #[error(transparent)]
    Lane(#[from] LaneError),
    /// A processor or store asked to stop.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The consumer cannot go on.
    #[error("{what}: {error}")]
    Consumer {
        /// What was being done.
        what: String,
        /// What the client said.
        error: CallError,
    },
    /// Records that should be there are not.
    #[error(
        "{topic}-{partition}: {text}. The next record to process is gone (retention, truncation or a re-created topic); \
         offsets are never reset by themselves. Restart to have the cause named"
    )]
    OutOfRange {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What the client said.
        text: String,
    },
    /// Records are there and cannot be read; the client would skip them.
    #[error(
        "{topic}-{partition}@{offset}: {text}. A batch cannot be read; going on would lose its records. Compare with the \
         other replicas (kafka-dump-log), repair the partition, and start again"
    )]
    Unreadable {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// What the client said.
        text: String,
    },
    /// Kafka refuses what cannot be blamed on an input.
    #[error(
        "Kafka refuses a record (code {code}) that comes from no input record: raise max.message.bytes of the output, \
         dead-letter and changelog topics"
    )]
    Refused {
        /// Kafka's code.
        code: i32,
    },
    /// Kafka refuses even the dead letter of an input.
    #[error(
        "{place}: Kafka refuses its output and its dead letter (code {code}), so that it can neither be processed nor put \
         aside: raise max.message.bytes of the dead-letter topic (and kafka.producer.message.max.bytes, if it is set), then \
         start again; the record is processed then"
    )]
    RefusedLetter {
        /// Topic, partition and offset of the input.
        place: String,
        /// Kafka's code.
        code: i32,
    },
    /// A store failed.
    #[error("store of task {task}: {source}")]
    Storage {
        /// The task.
        task: TaskId,
        /// What RocksDB said.
        source: StorageError,
    },
}
