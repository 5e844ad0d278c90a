//! The handle of an open store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use millpond_mutants::{Mutant, is};
use rocksdb::{WriteBatch, WriteOptions};

use crate::error::StorageError;
use crate::metadata::Metadata;
use crate::place::Place;
use crate::reader::{Database, Reader};

/// What the time in the metadata may be renewed to.
///
/// ```text
/// Fresh ──first restored chunk──▶ Restoring ──restore done, or a transaction applied──▶ Current
///   └────────────────a transaction applied─────────────────────────────────────────────────▲
/// (a store found on disk begins as Restoring)
/// ```
///
/// While restoring, the time stays that of the restore's begin, or of what was found: a store whose restore
/// is interrupted again and again must not look younger than the tombstones that it has not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Without content and metadata.
    Fresh,
    /// The changelog may hold more than the store.
    Restoring,
    /// The store holds everything that its task has committed.
    Current,
}

/// The stores, marker and metadata of one task, in one RocksDB. One owner writes; any number of [`Reader`]s
/// read.
pub struct Store {
    pub(super) database: Arc<Database>,
    pub(super) path: PathBuf,
    pub(super) place: Place,
    pub(super) write: WriteOptions,
    pub(super) metadata: Metadata,
    pub(super) phase: Phase,
    pub(super) rows_since_flush: u64,
    /// Whether anything at all was written since the last flush.
    pub(super) unflushed: bool,
    pub(super) poisoned_by: Option<String>,
    /// Reused for the metadata of each batch.
    pub(super) scratch: Vec<u8>,
    /// Size of the last batch, bytes: the next one is likely to be as large.
    pub(super) batch_bytes: usize,
}

/// RocksDB flushes when it is closed, to files that it names by their path. Where that leads to another folder by now, of a
/// process that took this one's place, it would overwrite that one's files: the database stays open then, to the end of the
/// process, which is near.
impl Drop for Store {
    fn drop(&mut self) {
        if self.place.is_gone(&self.path) {
            std::mem::forget(Arc::clone(&self.database));
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("position", &self.metadata.position)
            .field("phase", &self.phase)
            .field("rows_since_flush", &self.rows_since_flush)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Returns a reader of the committed state.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Arc::clone(&self.database))
    }

    /// Returns the directory of the database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the metadata of the last write, flushed or not.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Returns the next changelog offset to read: a lower bound of what the store holds; 0 for a fresh one.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.metadata.position
    }

    /// Returns the changelog rows written since the last call of [`Store::flush`] that flushed. RocksDB may
    /// have flushed some of them by itself; [`Store::durable`] tells.
    #[must_use]
    pub fn rows_since_flush(&self) -> u64 {
        self.rows_since_flush
    }

    /// Sets the topic id of the changelog; it is written with the next batch.
    ///
    /// # Errors
    /// [`StorageError::ChangelogRecreated`] when the metadata holds another one.
    pub fn set_changelog_topic_id(&mut self, id: [u8; 16]) -> Result<(), StorageError> {
        let known = self.metadata.changelog_topic_id;
        if known != [0; 16] && known != id {
            let topic = self.metadata.changelog.clone();
            return Err(StorageError::ChangelogRecreated { topic, known, found: id });
        }
        self.metadata.changelog_topic_id = id;
        Ok(())
    }

    /// Says that restore has read the changelog to its end: from now on a flush may renew the metadata's
    /// time.
    pub fn restored(&mut self) {
        self.phase = Phase::Current;
    }

    pub(super) fn check_usable(&self) -> Result<(), StorageError> {
        match &self.poisoned_by {
            Some(cause) => Err(StorageError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn check_position(&self, to: i64) -> Result<(), StorageError> {
        let from = self.metadata.position;
        if to < from { Err(StorageError::PositionBackwards { from, to }) } else { Ok(()) }
    }

    /// Writes a batch, which holds `metadata`. A failure poisons the store.
    pub(super) fn write(&mut self, batch: WriteBatch, metadata: Metadata) -> Result<(), StorageError> {
        self.batch_bytes = batch.size_in_bytes();
        match self.database.db.write_opt(batch, &self.write) {
            Err(error) if !is(Mutant::WriteErrorIgnored) => return Err(self.poison(error)),
            Ok(()) | Err(_) => {}
        }
        self.metadata = metadata;
        self.unflushed = true;
        Ok(())
    }

    pub(super) fn poison(&mut self, error: rocksdb::Error) -> StorageError {
        self.database.note_damage(&error);
        self.poison_by(error.into())
    }

    pub(super) fn poison_by(&mut self, error: StorageError) -> StorageError {
        self.database.poisoned.store(true, Ordering::Release);
        self.poisoned_by = Some(error.to_string());
        error
    }
}
