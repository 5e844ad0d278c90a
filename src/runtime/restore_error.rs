//! Why a task cannot be restored.

use millpond_state::{OpenError, StorageError};
use millpond_topology::{TaskError, TaskId};

use crate::engine::RestoreStop;

/// Why a task cannot be restored; ends the process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// State, changelog and offsets do not agree.
    #[error("task {task}: {source}")]
    Stop {
        /// The task.
        task: TaskId,
        /// What does not agree, and the cure.
        source: RestoreStop,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of the changelog is there and cannot be read.
    #[error(
        "task {task}: {topic}@{offset}: {text}. A batch of the changelog cannot be read; going on would lose state. Compare \
         with the other replicas and repair the partition"
    )]
    Unreadable {
        /// The task.
        task: TaskId,
        /// Changelog topic.
        topic: String,
        /// Offset.
        offset: i64,
        /// What the client said.
        text: String,
    },
    /// The store failed.
    #[error("task {task}: {source}")]
    Storage {
        /// The task.
        task: TaskId,
        /// What RocksDB said.
        source: StorageError,
    },
    /// The changelog holds what this program does not know. Nothing of the chunk was written.
    #[error("task {task}: {topic}-{partition}, records below offset {next}: {source}")]
    Unknown {
        /// The task.
        task: TaskId,
        /// Changelog topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// Offset behind the chunk that was read.
        next: i64,
        /// What was found.
        source: StorageError,
    },
    /// The damaged store cannot be set aside.
    #[error(
        "task {task}: the damaged store cannot be set aside: {source}; make its folder writable and start again: nothing is \
         lost, the changelog restores it"
    )]
    SetAside {
        /// The task.
        task: TaskId,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The marker cannot be read.
    #[error("task {task}: {text}")]
    Marker {
        /// The task.
        task: TaskId,
        /// What is wrong with it.
        text: String,
    },
    /// The task cannot be built.
    #[error(transparent)]
    Task(#[from] TaskError),
}
