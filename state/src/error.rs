//! What can go wrong with a store, by what the engine must do about it.

use std::path::PathBuf;

use millpond_topology::{CodecError, StoreError};
use rocksdb::ErrorKind;

use crate::identity::Mismatch;

/// Says why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database is damaged. The only error for which the engine sets a store aside and rebuilds it.
    #[error("{path}: RocksDB reports damage: {message}")]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// RocksDB's text.
        message: String,
    },
    /// The database is not the one that the topology expects.
    #[error("{path}: {source}")]
    Mismatch {
        /// The database.
        path: PathBuf,
        /// The difference and its cure.
        source: Mismatch,
    },
    /// Metadata or marker have a version that this program does not know, or cannot be decoded.
    #[error("{path}: {source}; the store is left as it is")]
    Format {
        /// The database.
        path: PathBuf,
        /// Which record and why.
        source: CodecError,
    },
    /// The database has content but no metadata of ours.
    #[error("{path}: a RocksDB that millpond did not write: move it away, or correct state.dir")]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The task's directory cannot be created or read.
    #[error("{path}: {source}: make the directory readable and writable for this user")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// RocksDB failed in another way: locked by another handle, no space, an I/O error.
    #[error(
        "{path}: RocksDB cannot open it: {message}; make the disk writable and let it have space, then start again: \
         nothing is lost, the changelog restores it"
    )]
    Storage {
        /// The database.
        path: PathBuf,
        /// RocksDB's text.
        message: String,
    },
}

/// Says why a store could not be written, flushed or closed.
///
/// After [`StorageError::Corrupt`], [`StorageError::DiskFull`], [`StorageError::Storage`] and
/// [`StorageError::Replaced`] the store is poisoned: Kafka has committed what the store could not take, so it is behind and must be reopened and
/// restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// RocksDB found damage: set the store aside and rebuild it.
    #[error(
        "RocksDB reports damage: {message}; start again: the store is then set aside and rebuilt from the changelog"
    )]
    Corrupt {
        /// RocksDB's text.
        message: String,
    },
    /// The disk is full: make room, then reopen and restore.
    #[error(
        "no space for the state store: {message}; make room and start again: nothing is lost, the changelog restores it"
    )]
    DiskFull {
        /// RocksDB's text.
        message: String,
    },
    /// RocksDB failed in another way.
    #[error(
        "the state store fails: {message}; cure the disk and start again: nothing is lost, the changelog restores it"
    )]
    Storage {
        /// RocksDB's text.
        message: String,
    },
    /// Its folder is another one by now, of a process that took this one's place. Nothing was written into it.
    #[error(
        "{path} was replaced under this process: see who does that, and start again; nothing is lost, the changelog restores it"
    )]
    Replaced {
        /// The database.
        path: PathBuf,
    },
    /// An earlier write failed; reopen the store and restore it.
    #[error("the store is unusable since an earlier failure ({cause}): reopen and restore it")]
    Poisoned {
        /// The earlier failure.
        cause: String,
    },
    /// A key lies outside every store. Nothing was written.
    #[error(
        "key {key:02x?} belongs to no store: the changelog was not written by millpond, or by a newer one"
    )]
    ReservedKey {
        /// The key.
        key: Vec<u8>,
    },
    /// After-images are not in strictly ascending key order. Nothing was written.
    #[error("after-images are not in ascending key order at {key:02x?}")]
    OutOfOrder {
        /// The key that is not above its predecessor.
        key: Vec<u8>,
    },
    /// The position would go back. Nothing was written.
    #[error("changelog position would go back from {from} to {to}")]
    PositionBackwards {
        /// Position of the store.
        from: i64,
        /// Position asked for.
        to: i64,
    },
    /// A restored marker, or the metadata, has an unknown version or cannot be decoded. Nothing was written.
    #[error(transparent)]
    Format(#[from] CodecError),
    /// The store was built from another creation of the changelog topic. Nothing was changed.
    #[error(
        "changelog `{topic}` was re-created: the store knows topic id {known:02x?}, the broker says \
         {found:02x?}; restore the old topic, or start a new app.id"
    )]
    ChangelogRecreated {
        /// Topic.
        topic: String,
        /// Topic id in the metadata.
        known: [u8; 16],
        /// Topic id given.
        found: [u8; 16],
    },
    /// The store was flushed, but readers still hold the database open.
    #[error("the store is flushed but {readers} readers still hold it open: drop them before it is closed")]
    InUse {
        /// Number of readers.
        readers: usize,
    },
}

impl From<rocksdb::Error> for StorageError {
    fn from(error: rocksdb::Error) -> Self {
        let kind = error.kind();
        let message = error.into_string();
        match kind {
            ErrorKind::Corruption => Self::Corrupt { message },
            ErrorKind::IOError if message.contains("No space left") => Self::DiskFull { message },
            _ => Self::Storage { message },
        }
    }
}

/// Returns whether a read failed because the database is damaged, so that the store must be set aside and
/// rebuilt.
#[must_use]
pub fn is_corruption(error: &StoreError) -> bool {
    matches!(error, StoreError::Storage { message } if message.starts_with("Corruption:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_storage_engines_own_word_is_corruption() {
        let error = |message: &str| StoreError::Storage { message: message.to_owned() };
        assert!(is_corruption(&error("Corruption: block checksum mismatch")));
        assert!(!is_corruption(&error("IO error: Corruption: no")));
    }
}
