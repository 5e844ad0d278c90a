//! Making a store durable, asking what is, and closing it.

use std::sync::Arc;

use millpond_mutants::{Mutant, is};
use rocksdb::{FlushOptions, ReadOptions, ReadTier};

use super::handle::{Phase, Store};
use crate::error::StorageError;
use crate::key::METADATA_KEY;
use crate::metadata::Metadata;

/// Age at which an idle store's time in the metadata is renewed, in ms: seldom enough to cost nothing, often
/// enough for any `delete.retention.ms` above a quarter of an hour.
const RENEW_AFTER_MS: u64 = 5 * 60 * 1000;

impl Store {
    /// Makes everything written so far durable and waits for it. `wall_ms` is the wall clock, ms since the
    /// epoch: an idle store that lacks nothing has its time in the metadata renewed now and then, so that it
    /// does not grow stale. Does nothing when there is nothing to do.
    ///
    /// # Errors
    /// Any failure poisons the store.
    pub fn flush(&mut self, wall_ms: i64) -> Result<(), StorageError> {
        self.check_usable()?;
        let old = self.metadata.written_wall_ms.abs_diff(wall_ms) >= RENEW_AFTER_MS;
        if self.phase == Phase::Current && old {
            let next = Metadata { written_wall_ms: wall_ms, ..self.metadata.clone() };
            let mut writes = self.begin(&next);
            writes.put(METADATA_KEY, &self.scratch);
            self.write(writes, next)?;
        }
        if !self.unflushed {
            return Ok(());
        }
        // Where there is no folder RocksDB says so itself; into another process's it would write.
        if self.place.is_gone(&self.path) && self.path.exists() {
            let path = self.path.clone();
            return Err(self.poison_by(StorageError::Replaced { path }));
        }
        let mut options = FlushOptions::default();
        options.set_wait(true);
        match self.database.db.flush_opt(&options) {
            Err(error) if !is(Mutant::WriteErrorIgnored) => return Err(self.poison(error)),
            Ok(()) | Err(_) => {}
        }
        self.unflushed = false;
        self.rows_since_flush = 0;
        Ok(())
    }

    /// Returns the metadata that would be found after a crash at this moment; none before the first flush.
    ///
    /// # Errors
    /// A failure of RocksDB, or metadata that cannot be decoded.
    pub fn durable(&self) -> Result<Option<Metadata>, StorageError> {
        let mut options = ReadOptions::default();
        // With the WAL off this tier leaves the memtables out.
        options.set_read_tier(ReadTier::Persisted);
        let bytes = self.database.db.get_pinned_opt(METADATA_KEY, &options)?;
        Ok(bytes.map(|bytes| Metadata::decode(&bytes)).transpose()?)
    }

    /// Flushes, checks and closes the store. Dropping it instead flushes too, but hides a failure.
    ///
    /// # Errors
    /// Those of [`Store::flush`]; [`StorageError::InUse`] when readers still hold the database open.
    pub fn close(mut self, wall_ms: i64) -> Result<(), StorageError> {
        self.flush(wall_ms)?;
        let readers = Arc::strong_count(&self.database) - 1;
        if readers == 0 { Ok(()) } else { Err(StorageError::InUse { readers }) }
    }
}
