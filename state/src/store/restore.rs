//! Restoring from the changelog, one bounded chunk after the other.

use millpond_topology::{CHANGELOG_MARKER_KEY, Marker};

use super::apply::put_or_delete;
use super::handle::{Phase, Store};
use crate::error::StorageError;
use crate::key::{Addressed, METADATA_KEY, addressed};
use crate::metadata::Metadata;

/// What a restored chunk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Changelog records read.
    pub records: u64,
    /// Rows written: one per key.
    pub rows: u64,
}

impl Store {
    /// Writes a chunk of changelog records, in offset order, together with the position behind it, so that a
    /// restore that is cut short goes on from there. Of several records of a key the last one counts.
    ///
    /// `next_position` is the next changelog offset to read. `wall_ms` (ms since the epoch) is kept for a
    /// fresh store only: see [`crate::is_stale`]. The caller bounds the chunk; it is held in memory until
    /// written.
    ///
    /// # Errors
    /// [`StorageError::ReservedKey`], [`StorageError::Format`] (an unknown marker) and
    /// [`StorageError::PositionBackwards`] before anything is written; any other failure poisons the store.
    pub fn restore<'r>(
        &mut self,
        records: &mut dyn Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        next_position: i64,
        wall_ms: i64,
    ) -> Result<Restored, StorageError> {
        self.check_usable()?;
        self.check_position(next_position)?;
        let mut chunk: Vec<_> = records.collect();
        let read = chunk.len() as u64;
        keep_last_by_key(&mut chunk);
        for (key, value) in &chunk {
            check_record(key, *value)?;
        }
        let written_wall_ms =
            if self.phase == Phase::Fresh { wall_ms } else { self.metadata.written_wall_ms };
        let next = Metadata { position: next_position, written_wall_ms, ..self.metadata.clone() };
        let mut writes = self.begin(&next);
        let markers = usize::from(chunk.first().is_some_and(|(key, _)| *key == CHANGELOG_MARKER_KEY));
        let (marker, data) = chunk.split_at(markers);
        for (key, value) in marker {
            put_or_delete(&mut writes, key, *value);
        }
        writes.put(METADATA_KEY, &self.scratch);
        for (key, value) in data {
            put_or_delete(&mut writes, key, *value);
        }
        fail::fail_point!("state::in_restore");
        self.write(writes, next)?;
        self.phase = Phase::Restoring;
        let rows = chunk.len() as u64;
        self.rows_since_flush += rows;
        Ok(Restored { records: read, rows })
    }
}

/// Sorts by key and keeps the last record of each.
fn keep_last_by_key<V>(chunk: &mut Vec<(&[u8], V)>) {
    chunk.sort_by_key(|(key, _)| *key);
    // `dedup` keeps the first of equals, so it runs over the reverse.
    chunk.reverse();
    chunk.dedup_by_key(|(key, _)| *key);
    chunk.reverse();
}

fn check_record(key: &[u8], value: Option<&[u8]>) -> Result<(), StorageError> {
    match (addressed(key), value) {
        (Addressed::Store, _) => Ok(()),
        // Refused here and not when it is needed: the store must not take what this program cannot read.
        (Addressed::Marker, Some(marker)) => Ok(Marker::decode(marker).map(drop)?),
        (Addressed::Marker, None) | (Addressed::Nothing, _) => {
            Err(StorageError::ReservedKey { key: key.to_vec() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_a_key_counts() {
        let mut chunk = vec![(&b"b"[..], 1), (b"a", 2), (b"b", 3), (b"a", 4), (b"c", 5), (b"a", 6)];
        keep_last_by_key(&mut chunk);
        assert_eq!(chunk, [(&b"a"[..], 6), (b"b", 3), (b"c", 5)]);
    }
}
