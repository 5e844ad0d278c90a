//! Committed values held in memory, so that a hot key costs no read of the base.
//!
//! It is `Partial`: a key that is not in it says nothing about the base. Two generations bound it: what is used goes to
//! the young one; when that is full the old one is forgotten and the young one becomes old.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Bytes that an entry costs beside key and value, at most: a table that has just grown is half empty.
const ENTRY_BYTES: usize = (size_of::<Entry>() + 1) * 16 / 7;
/// Parts in which the bytes of a generation grow, so that little of what is allocated is unused.
const GROWTH_PARTS: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    start: usize,
    key_len: usize,
    /// The value follows the key.
    value_len: usize,
}

#[derive(Debug, Default)]
struct Generation {
    table: HashTable<Entry>,
    arena: Vec<u8>,
}

impl Generation {
    fn key(&self, entry: &Entry) -> &[u8] {
        self.arena.get(entry.start..entry.start + entry.key_len).unwrap_or_default()
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<Entry> {
        self.table.find(hash, |entry| self.key(entry) == key).copied()
    }

    fn value(&self, entry: Entry) -> &[u8] {
        let from = entry.start + entry.key_len;
        self.arena.get(from..from + entry.value_len).unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        self.arena.len() + self.table.len() * ENTRY_BYTES
    }

    fn remove(&mut self, hash: u64, key: &[u8]) {
        let Self { table, arena } = self;
        let is_it = |entry: &Entry| arena.get(entry.start..entry.start + entry.key_len) == Some(key);
        if let Ok(found) = table.find_entry(hash, is_it) {
            found.remove();
        }
    }

    /// Writes over a value of the same length in place; else the bytes before are left behind until the generation goes.
    fn set(&mut self, hash: u64, key: &[u8], value: &[u8], growth: usize) {
        if let Some(entry) = self.find(hash, key) {
            let from = entry.start + entry.key_len;
            let place = self.arena.get_mut(from..from + entry.value_len);
            if let Some(place) = place.filter(|place| place.len() == value.len()) {
                place.copy_from_slice(value);
                return;
            }
            self.remove(hash, key);
        }
        let (start, bytes) = (self.arena.len(), key.len() + value.len());
        if self.arena.capacity() - start < bytes {
            self.arena.reserve_exact(bytes.max(growth));
        }
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value);
        let entry = Entry { hash, start, key_len: key.len(), value_len: value.len() };
        self.table.insert_unique(hash, entry, |entry| entry.hash);
    }

    fn clear(&mut self) {
        self.table.clear();
        self.arena.clear();
    }
}

/// Values of a task's stores that are to be held, by changelog key.
#[derive(Debug)]
pub(crate) struct Held {
    young: Generation,
    old: Generation,
    bytes_max: usize,
    hasher: FixedState,
    moved: Vec<u8>,
}

impl Held {
    /// Returns an empty one that takes at most about `bytes_max`; 0 holds nothing.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (young, old) = (Generation::default(), Generation::default());
        Self { young, old, bytes_max, hasher: FixedState::default(), moved: Vec::new() }
    }

    /// Appends the committed value of `key` to `out` and returns `true`, or returns `false` when it is not held.
    pub(crate) fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        let hash = self.hasher.hash_one(key);
        if let Some(entry) = self.young.find(hash, key) {
            out.extend_from_slice(self.young.value(entry));
            return true;
        }
        let Some(entry) = self.old.find(hash, key) else { return false };
        let mut moved = std::mem::take(&mut self.moved);
        moved.clear();
        moved.extend_from_slice(self.old.value(entry));
        out.extend_from_slice(&moved);
        self.put(hash, key, &moved);
        self.moved = moved;
        true
    }

    /// Takes over a committed value.
    pub(crate) fn hold(&mut self, key: &[u8], value: &[u8]) {
        self.put(self.hasher.hash_one(key), key, value);
    }

    /// Forgets a key: it was deleted.
    pub(crate) fn forget(&mut self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        self.young.remove(hash, key);
        self.old.remove(hash, key);
    }

    fn put(&mut self, hash: u64, key: &[u8], value: &[u8]) {
        let (bytes, bytes_max) = (key.len() + value.len() + ENTRY_BYTES, self.bytes_max / 2);
        if bytes > bytes_max {
            // It is not held; an older value of it must not stay.
            self.young.remove(hash, key);
            self.old.remove(hash, key);
            return;
        }
        if self.young.bytes() + bytes > bytes_max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        // A value in the old generation is hidden by the young one, and gone before it could be seen again: the old one
        // is cleared before the young one becomes old.
        self.young.set(hash, key, value, bytes_max / GROWTH_PARTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn get(held: &mut Held, key: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        held.get(key, &mut out).then_some(out)
    }

    /// What the allocator gave, with what an empty table takes.
    fn allocated(held: &Held) -> usize {
        let of =
            |one: &Generation| one.arena.capacity() + one.table.capacity() * (size_of::<Entry>() + 1) * 8 / 7;
        of(&held.young) + of(&held.old)
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut held = Held::new(4000);
        for n in 0u32..1000 {
            held.hold(&n.to_be_bytes(), b"value");
            assert_eq!(get(&mut held, &[0; 4]).as_deref(), Some(&b"value"[..]), "after {n}");
        }
        assert_eq!(get(&mut held, &1u32.to_be_bytes()), None);
        assert!(allocated(&held) <= 4000 + 4000 / GROWTH_PARTS, "{}", allocated(&held));
    }

    #[test]
    fn nothing_is_held_without_memory_or_what_is_larger_than_it() {
        let mut none = Held::new(0);
        none.hold(b"k", b"v");
        assert_eq!(get(&mut none, b"k"), None);
        let mut small = Held::new(400);
        small.hold(b"k", b"old");
        small.hold(b"other", b"x");
        small.hold(b"k", &[1; 500]);
        assert_eq!(get(&mut small, b"k"), None, "never an outdated value");
    }

    proptest! {
        /// Whatever is held is the last value that was committed.
        #[test]
        fn never_answers_with_an_outdated_value(
            steps in prop::collection::vec((0u8..20, prop::option::of((any::<u8>(), 0usize..90)), any::<bool>()), 0..300),
            bytes_max in 0usize..1500
        ) {
            let mut held = Held::new(bytes_max);
            let mut committed: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
            for (key, value, is_read) in steps {
                if is_read {
                    let found = get(&mut held, &[key]);
                    prop_assert!(found.is_none() || found == committed.get(&key).cloned());
                } else if let Some((byte, len)) = value {
                    held.hold(&[key], &vec![byte; len]);
                    committed.insert(key, vec![byte; len]);
                } else {
                    held.forget(&[key]);
                    committed.remove(&key);
                }
                // The smallest table has room for more than a few bytes would pay for.
                prop_assert!(allocated(&held) <= bytes_max + bytes_max / GROWTH_PARTS + 1024);
            }
        }
    }
}
