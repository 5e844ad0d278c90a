//! The changelog as it was when a store was last flushed.

use std::collections::{HashMap, HashSet};

use crate::gather::Store;

/// The difference between the end of the changelog and the point where one store stands.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    sequence: u64,
    /// The store's own changelog position: everything below it is in the store.
    position: i64,
    /// Marker of the store's sequence in the changelog, once it has been seen.
    marker: Option<Box<[u8]>>,
    /// Values at that marker of keys that were written again after it; `None` = not there.
    undo: HashMap<Box<[u8]>, Option<Box<[u8]>>>,
    /// Keys written at or above `position` while the marker has not been seen.
    recent: HashSet<Box<[u8]>>,
    /// First record above the marker that lies below `position`: the store claims what it cannot hold.
    overclaim: Option<i64>,
    /// Last marker below `position`: a store without any must hold it or a later one.
    covered_marker: Option<i64>,
}

impl Snapshot {
    /// Starts at the beginning of the changelog.
    pub(crate) fn of(store: &Store) -> Snapshot {
        Snapshot { sequence: store.sequence(), position: store.metadata.position, ..Snapshot::default() }
    }

    /// Notes that `key` is about to be written; `old` is its value until then.
    pub(crate) fn before_write(&mut self, offset: i64, key: &[u8], old: Option<&[u8]>) {
        if self.marker.is_some() {
            if offset < self.position && self.overclaim.is_none() {
                self.overclaim = Some(offset);
            }
            if !self.undo.contains_key(key) {
                self.undo.insert(key.into(), old.map(Box::from));
            }
        } else if offset >= self.position && !self.recent.contains(key) {
            self.recent.insert(key.into());
        }
    }

    /// Notes a marker.
    pub(crate) fn at_marker(&mut self, offset: i64, sequence: u64, bytes: &[u8]) {
        if offset < self.position {
            self.covered_marker = Some(offset);
        }
        if sequence == self.sequence && self.marker.is_none() {
            self.marker = Some(bytes.into());
            self.recent = HashSet::new();
        }
    }

    /// Returns the marker in the changelog whose sequence is the store's; `None` when it was compacted away.
    pub(crate) fn marker(&self) -> Option<&[u8]> {
        self.marker.as_deref()
    }

    /// Returns the offset of the last marker that the store's position claims.
    pub(crate) fn covered_marker(&self) -> Option<i64> {
        self.covered_marker
    }

    /// Returns the offset of a record that the store's position claims although it is above its marker.
    pub(crate) fn overclaim(&self) -> Option<i64> {
        self.overclaim
    }

    /// Returns what the store must hold under `key`: `None` = this cannot be told any more, `Some(None)` =
    /// nothing.
    pub(crate) fn expected<'a>(
        &'a self,
        rows: &'a HashMap<Box<[u8]>, Box<[u8]>>,
        key: &[u8],
    ) -> Option<Option<&'a [u8]>> {
        if self.marker.is_none() && self.recent.contains(key) {
            return None;
        }
        match self.undo.get(key) {
            // A value that compaction has removed since looks like one that was never there.
            Some(None) => None,
            Some(Some(old)) => Some(Some(old)),
            None => Some(rows.get(key).map(AsRef::as_ref)),
        }
    }

    /// Returns keys that were in the store and are gone at the end of the changelog.
    pub(crate) fn undone(&self) -> impl Iterator<Item = &[u8]> {
        self.undo.iter().filter(|(_, old)| old.is_some()).map(|(key, _)| key.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::Snapshot;

    type Rows = HashMap<Box<[u8]>, Box<[u8]>>;

    /// Writes `records` (offset, key, value), with the marker of sequence 5 where the key is `m`.
    fn replay(position: i64, records: &[(i64, &str, &str)]) -> (Snapshot, Rows) {
        let mut snapshot = Snapshot { sequence: 5, position, ..Snapshot::default() };
        let mut rows = Rows::new();
        for (offset, key, value) in records {
            if *key == "m" {
                snapshot.at_marker(*offset, 5, value.as_bytes());
                continue;
            }
            let key = key.as_bytes();
            snapshot.before_write(*offset, key, rows.get(key).map(AsRef::as_ref));
            rows.insert(key.into(), value.as_bytes().into());
        }
        (snapshot, rows)
    }

    #[test]
    fn what_came_after_the_marker_is_undone() {
        let records =
            [(0, "a", "1"), (1, "b", "1"), (2, "m", "x"), (3, "a", "2"), (4, "c", "1"), (5, "a", "3")];
        let (snapshot, rows) = replay(0, &records);
        assert_eq!(snapshot.expected(&rows, b"a"), Some(Some(&b"1"[..])));
        assert_eq!(snapshot.expected(&rows, b"b"), Some(Some(&b"1"[..])));
        assert_eq!(snapshot.expected(&rows, b"d"), Some(None));
        assert_eq!(snapshot.expected(&rows, b"c"), None, "an earlier value may have been compacted away");
        assert_eq!(snapshot.marker(), Some(&b"x"[..]));
        assert_eq!(snapshot.overclaim(), None);
    }

    #[test]
    fn without_the_marker_only_what_the_position_covers_can_be_told() {
        let (snapshot, rows) = replay(2, &[(0, "a", "1"), (1, "b", "1"), (2, "a", "2"), (3, "c", "1")]);
        assert_eq!(snapshot.expected(&rows, b"a"), None);
        assert_eq!(snapshot.expected(&rows, b"b"), Some(Some(&b"1"[..])));
        assert_eq!(snapshot.expected(&rows, b"c"), None);
        assert_eq!(snapshot.marker(), None);
    }

    #[test]
    fn a_marker_below_the_position_is_known() {
        let records = [(0, "a", "1"), (1, "m", "x"), (2, "b", "1")];
        assert_eq!(replay(1, &records).0.covered_marker(), None);
        assert_eq!(replay(2, &records).0.covered_marker(), Some(1));
    }

    #[test]
    fn a_position_beyond_the_marker_is_an_overclaim() {
        let records = [(0, "a", "1"), (1, "m", "x"), (2, "b", "1"), (3, "c", "1")];
        assert_eq!(replay(2, &records).0.overclaim(), None);
        assert_eq!(replay(3, &records).0.overclaim(), Some(2));
    }
}
