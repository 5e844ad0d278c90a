//! Uncommitted writes of the open transaction: deduplicated after-images over the committed state.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use millpond_mutants::{Mutant, is};
use std::hash::BuildHasher;

use super::spec::TALLY_SUMS;

/// Where a value is in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// Present, at `start..start + len`.
    Live { start: usize, len: usize },
    /// Known to be absent.
    Absent,
    /// Nothing is known: the record that wrote it was undone.
    Unknown,
}

/// A store's contribution to its tally, before and after the transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TallyChange {
    /// Sums of the committed value, `None` when there was none.
    pub(crate) before: Option<[i64; TALLY_SUMS]>,
    /// Sums of the value in the overlay.
    pub(crate) after: Option<[i64; TALLY_SUMS]>,
}

#[derive(Debug, Clone)]
struct Entry {
    key_start: usize,
    key_len: usize,
    slot: Slot,
    written: bool,
    tally: Option<TallyChange>,
}

/// What the overlay knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// It has this value.
    Live(&'a [u8]),
    /// It has none.
    Absent,
    /// The overlay does not know: ask the base.
    Unknown,
}

/// An undo step: the entry's state before the current record changed it.
#[derive(Debug)]
struct Undo {
    entry: usize,
    slot: Slot,
    written: bool,
    tally: Option<TallyChange>,
}

/// A hash map from changelog keys to after-images that keeps all bytes in one arena, so that the hot path
/// allocates nothing once it is warm. Values are appended, never overwritten, so that a rejected record's
/// writes can be undone.
#[derive(Debug, Default)]
pub struct Overlay {
    table: HashTable<usize>,
    entries: Vec<Entry>,
    arena: Vec<u8>,
    undo: Vec<Undo>,
    hasher: FixedState,
    written: usize,
}

impl Overlay {
    /// Returns an empty overlay.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn bytes(&self, start: usize, len: usize) -> &[u8] {
        self.arena.get(start..start + len).unwrap_or_default()
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        self.table.find(hash, |&at| self.key_at(at) == key).copied()
    }

    fn key_at(&self, entry: usize) -> &[u8] {
        self.entries.get(entry).map_or(&[], |entry| self.bytes(entry.key_start, entry.key_len))
    }

    /// Returns what the overlay knows of `key`.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Found<'_> {
        match self.find(key).and_then(|at| self.entries.get(at)).map(|entry| entry.slot) {
            Some(Slot::Live { start, len }) => Found::Live(self.bytes(start, len)),
            Some(Slot::Absent) => Found::Absent,
            Some(Slot::Unknown) | None => Found::Unknown,
        }
    }

    /// Returns the tally change recorded for `key`.
    pub(crate) fn tally(&self, key: &[u8]) -> Option<TallyChange> {
        self.find(key).and_then(|at| self.entries.get(at)).and_then(|entry| entry.tally)
    }

    /// Remembers a committed value that was read, so that it is not read again in this transaction.
    pub(crate) fn remember(&mut self, key: &[u8], value: Option<&[u8]>, tally: Option<TallyChange>) {
        let slot = self.store(value);
        match self.find(key) {
            None => {
                self.insert(key, slot, tally);
            }
            Some(at) => {
                if let Some(entry) = self.entries.get_mut(at).filter(|entry| entry.slot == Slot::Unknown) {
                    entry.slot = slot;
                    entry.tally = tally;
                }
            }
        }
    }

    /// Sets (`Some`) or deletes (`None`) a key.
    pub(crate) fn write(&mut self, key: &[u8], value: Option<&[u8]>, tally: Option<TallyChange>) {
        let slot = self.store(value);
        let at = self.find(key).unwrap_or_else(|| self.insert(key, Slot::Unknown, None));
        if let Some(entry) = self.entries.get_mut(at) {
            self.undo.push(Undo { entry: at, slot: entry.slot, written: entry.written, tally: entry.tally });
            self.written += usize::from(!entry.written);
            entry.slot = slot;
            entry.written = true;
            entry.tally = tally;
        }
    }

    fn store(&mut self, value: Option<&[u8]>) -> Slot {
        match value {
            Some(value) => {
                let start = self.arena.len();
                self.arena.extend_from_slice(value);
                Slot::Live { start, len: value.len() }
            }
            None => Slot::Absent,
        }
    }

    fn insert(&mut self, key: &[u8], slot: Slot, tally: Option<TallyChange>) -> usize {
        let key_start = self.arena.len();
        self.arena.extend_from_slice(key);
        let at = self.entries.len();
        self.entries.push(Entry { key_start, key_len: key.len(), slot, written: false, tally });
        let (arena, entries, hasher) = (&self.arena, &self.entries, &self.hasher);
        self.table.insert_unique(hasher.hash_one(key), at, |&at| {
            let key = entries.get(at).and_then(|e| arena.get(e.key_start..e.key_start + e.key_len));
            hasher.hash_one(key.unwrap_or_default())
        });
        at
    }

    /// Begins a record: what is written from here on can be undone.
    pub(crate) fn begin_record(&mut self) {
        self.undo.clear();
    }

    /// Undoes what the current record wrote.
    pub(crate) fn undo_record(&mut self) {
        while let Some(undo) = self.undo.pop() {
            let Some(entry) = self.entries.get_mut(undo.entry) else { continue };
            if entry.written && !undo.written {
                self.written -= 1;
            }
            entry.slot = undo.slot;
            entry.written = undo.written;
            entry.tally = undo.tally;
        }
    }

    /// Returns the number of keys written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.written
    }

    /// Returns the bytes held, keys and values, also superseded ones.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.arena.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Collects the written entries' indices in key order into `order`.
    pub(crate) fn sort_written(&self, order: &mut Vec<usize>) {
        order.clear();
        order.extend(self.entries.iter().enumerate().filter(|(_, entry)| entry.written).map(|(at, _)| at));
        if !is(Mutant::UnsortedBatch) {
            order.sort_unstable_by(|&a, &b| self.key_at(a).cmp(self.key_at(b)));
        }
    }

    /// Returns key and after-image (`None` = deleted) of an entry.
    pub(crate) fn entry(&self, at: usize) -> Option<(&[u8], Option<&[u8]>)> {
        let entry = self.entries.get(at)?;
        let value = match entry.slot {
            Slot::Live { start, len } => Some(self.bytes(start, len)),
            Slot::Absent | Slot::Unknown => None,
        };
        Some((self.bytes(entry.key_start, entry.key_len), value))
    }

    /// Iterates over the tally changes of written entries, with their keys.
    pub(crate) fn tally_changes(&self) -> impl Iterator<Item = (&[u8], TallyChange)> {
        self.entries
            .iter()
            .filter(|entry| entry.written)
            .filter_map(|entry| entry.tally.map(|tally| (self.bytes(entry.key_start, entry.key_len), tally)))
    }

    /// Forgets everything, keeping the capacity.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.entries.clear();
        self.arena.clear();
        self.undo.clear();
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn undoing_a_write_forgets_a_key_whose_committed_value_is_unknown() {
        let mut overlay = Overlay::new();
        overlay.begin_record();
        overlay.write(b"k", Some(b"1"), None);
        overlay.undo_record();
        assert_eq!(overlay.get(b"k"), Found::Unknown);
        assert_eq!(overlay.written(), 0);
    }

    #[test]
    fn undoing_keeps_what_was_read() {
        let mut overlay = Overlay::new();
        overlay.remember(b"k", Some(b"base"), None);
        overlay.begin_record();
        overlay.write(b"k", None, None);
        overlay.write(b"k", Some(b"2"), None);
        overlay.undo_record();
        assert_eq!(overlay.get(b"k"), Found::Live(b"base"));
        assert_eq!(overlay.written(), 0);
    }

    fn writes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((0u8..12, prop::option::of(any::<u8>())), 0..4)
    }

    type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    proptest! {
        /// Any sequence of records, each a few writes, some undone, against a map.
        #[test]
        fn behaves_like_a_map_with_undo(
            records in prop::collection::vec((writes(), any::<bool>()), 0..60),
            reads in prop::collection::vec(0u8..12, 0..60)
        ) {
            let mut overlay = Overlay::new();
            let mut model = Model::new();
            // Every key has the committed value [9]; those read are remembered, also inside undone records.
            let mut reads = reads.into_iter();
            let mut read = std::collections::BTreeSet::new();
            for (writes, undone) in records {
                overlay.begin_record();
                let before = model.clone();
                for (key, value) in writes {
                    let value = value.map(|v| vec![v; 3]);
                    overlay.write(&[key], value.as_deref(), None);
                    model.insert(vec![key], value);
                    if let Some(key) = reads.next().filter(|&key| overlay.get(&[key]) == Found::Unknown) {
                        overlay.remember(&[key], Some(&[9]), None);
                        read.insert(key);
                    }
                }
                if undone {
                    overlay.undo_record();
                    model = before;
                }
                for key in 0u8..12 {
                    let want = match model.get([key].as_slice()) {
                        Some(Some(value)) => Found::Live(value),
                        Some(None) => Found::Absent,
                        None if read.contains(&key) => Found::Live(&[9]),
                        None => Found::Unknown,
                    };
                    prop_assert_eq!(overlay.get(&[key]), want);
                }
                prop_assert_eq!(overlay.written(), model.len());
            }
            let mut order = Vec::new();
            overlay.sort_written(&mut order);
            let got: Vec<_> = order.iter().filter_map(|&at| overlay.entry(at))
                .map(|(k, v)| (k.to_vec(), v.map(<[u8]>::to_vec))).collect();
            prop_assert_eq!(got, model.into_iter().collect::<Vec<_>>());
        }
    }
}
