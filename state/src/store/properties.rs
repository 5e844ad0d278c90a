//! RocksDB's own figures, for metrics.

use rocksdb::properties;

use super::handle::Store;
use crate::error::StorageError;

/// Figures of one database. What is shared between databases is in [`crate::Usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Properties {
    /// Bytes in write buffers, those being flushed included.
    pub memtable_bytes: u64,
    /// Write buffers waiting to be flushed.
    pub immutable_memtables: u64,
    /// Bytes in table files.
    pub sst_bytes: u64,
    /// Bytes that compaction is behind by.
    pub pending_compaction_bytes: u64,
    /// Flushes that run now.
    pub running_flushes: u64,
    /// Compactions that run now.
    pub running_compactions: u64,
    /// 1 when RocksDB has stopped writes until compaction or flush catch up.
    pub write_stopped: u64,
    /// Errors of background work since the database was opened.
    pub background_errors: u64,
    /// Estimated number of keys, marker and metadata included.
    pub estimated_keys: u64,
}

impl Store {
    /// Returns RocksDB's figures.
    ///
    /// # Errors
    /// A failure of RocksDB.
    pub fn properties(&self) -> Result<Properties, StorageError> {
        let read = |name: &properties::PropName| -> Result<u64, StorageError> {
            Ok(self.database.db.property_int_value(name)?.unwrap_or(0))
        };
        Ok(Properties {
            memtable_bytes: read(properties::CUR_SIZE_ALL_MEM_TABLES)?,
            immutable_memtables: read(properties::NUM_IMMUTABLE_MEM_TABLE)?,
            sst_bytes: read(properties::TOTAL_SST_FILES_SIZE)?,
            pending_compaction_bytes: read(properties::ESTIMATE_PENDING_COMPACTION_BYTES)?,
            running_flushes: read(properties::NUM_RUNNING_FLUSHES)?,
            running_compactions: read(properties::NUM_RUNNING_COMPACTIONS)?,
            write_stopped: read(properties::IS_WRITE_STOPPED)?,
            background_errors: read(properties::BACKGROUND_ERRORS)?,
            estimated_keys: read(properties::ESTIMATE_NUM_KEYS)?,
        })
    }
}
