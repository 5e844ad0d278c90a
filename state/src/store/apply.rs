//! Applying a committed transaction.

use millpond_topology::CHANGELOG_MARKER_KEY;
use rocksdb::WriteBatch;

use super::handle::{Phase, Store};
use crate::error::StorageError;
use crate::key::{Addressed, METADATA_KEY, addressed};
use crate::metadata::Metadata;

/// What a committed transaction of a task changes.
#[derive(Debug)]
pub struct Batch<'m, I> {
    /// After-images in strictly ascending key order; `None` deletes.
    pub images: I,
    /// The marker, as the changelog holds it.
    pub marker: &'m [u8],
    /// New lower bound of the changelog offsets that the store holds, at least the one before.
    pub position: i64,
    /// Wall clock, ms since the epoch.
    pub wall_ms: i64,
}

impl Store {
    /// Writes a transaction that is known to be committed: marker, metadata and after-images in one batch, so
    /// that a crash leaves all of it or nothing. Returns the number of changelog rows, the marker included.
    ///
    /// # Errors
    /// [`StorageError::ReservedKey`], [`StorageError::OutOfOrder`] and [`StorageError::PositionBackwards`]
    /// before anything is written; any other failure poisons the store.
    pub fn apply<'i, I>(&mut self, batch: Batch<'_, I>) -> Result<u64, StorageError>
    where
        I: Iterator<Item = (&'i [u8], Option<&'i [u8]>)>,
    {
        self.check_usable()?;
        self.check_position(batch.position)?;
        let next =
            Metadata { position: batch.position, written_wall_ms: batch.wall_ms, ..self.metadata.clone() };
        let mut writes = self.begin(&next);
        writes.put(CHANGELOG_MARKER_KEY, batch.marker);
        writes.put(METADATA_KEY, &self.scratch);
        let mut rows = 1;
        let mut last: &[u8] = &[];
        for (key, value) in batch.images {
            if addressed(key) != Addressed::Store {
                return Err(StorageError::ReservedKey { key: key.to_vec() });
            }
            if key <= last {
                return Err(StorageError::OutOfOrder { key: key.to_vec() });
            }
            put_or_delete(&mut writes, key, value);
            last = key;
            rows += 1;
        }
        fail::fail_point!("state::before_write_batch");
        self.write(writes, next)?;
        fail::fail_point!("state::after_write_batch");
        self.phase = Phase::Current;
        self.rows_since_flush += rows;
        Ok(rows)
    }

    /// Returns an empty batch and leaves the encoding of `metadata` in the scratch buffer.
    pub(super) fn begin(&mut self, metadata: &Metadata) -> WriteBatch {
        self.scratch.clear();
        metadata.encode(&mut self.scratch);
        WriteBatch::with_capacity_bytes(self.batch_bytes)
    }
}

pub(super) fn put_or_delete(writes: &mut WriteBatch, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => writes.put(key, value),
        None => writes.delete(key),
    }
}
