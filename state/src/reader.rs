//! Reads of committed state.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millpond_mutants::{Mutant, is};
use millpond_topology::{StateReader, StoreError};
use rocksdb::{DB, ErrorKind, ReadOptions};

use crate::damage;

/// The open database, shared by a store and its readers.
pub(crate) struct Database {
    pub(crate) db: DB,
    /// Made once: a get would otherwise allocate options of its own.
    pub(crate) read: ReadOptions,
    /// Set when a write failed: the database then lacks something that Kafka has committed.
    pub(crate) poisoned: AtomicBool,
}

impl Database {
    /// Notes in the database's folder what cannot be cured by going on.
    pub(crate) fn note_damage(&self, error: &rocksdb::Error) {
        if error.kind() == ErrorKind::Corruption {
            damage::note(self.db.path(), error.as_ref());
        }
    }

    fn failed(&self, error: rocksdb::Error) -> StoreError {
        self.note_damage(&error);
        let is_damage = error.kind() == ErrorKind::Corruption;
        let mut message = error.into_string();
        if is_damage {
            message.push_str("; start again: the store is then set aside and rebuilt from the changelog");
        }
        StoreError::Storage { message }
    }
}

/// Reads the committed state of one task. Cheap to clone; keeps the database open.
#[derive(Clone)]
pub struct Reader(pub(crate) Arc<Database>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reader").field(&self.0.db.path()).finish()
    }
}

impl Reader {
    /// A read after a failed write would miss the effect of a committed transaction: wrong money.
    fn check(&self) -> Result<(), StoreError> {
        if self.0.poisoned.load(Ordering::Acquire) {
            let message = "unusable since a write failed: reopen and restore it".to_owned();
            return Err(StoreError::Storage { message });
        }
        Ok(())
    }
}

impl StateReader for Reader {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.check()?;
        let found = match self.0.db.get_pinned_opt(key, &self.0.read) {
            Ok(found) => found,
            Err(_) if is(Mutant::DamageAsAbsent) => None,
            Err(error) => return Err(self.0.failed(error)),
        };
        Ok(found.map(|value| out.extend_from_slice(&value)).is_some())
    }

    fn scan(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.check()?;
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let mut read = ReadOptions::default();
        if let Some(to) = to {
            read.set_iterate_upper_bound(to);
        }
        let mut entries = self.0.db.raw_iterator_opt(read);
        entries.seek(from);
        while let Some((key, value)) = entries.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            entries.next();
        }
        // An iterator also ends where a block cannot be read.
        entries.status().map_err(|error| self.0.failed(error))
    }
}
