//! Committed state in memory, for the test driver and the simulator.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reader::{StateReader, Visit};
use crate::error::StoreError;

/// A sorted map behind the store contract. Clones share the same content, so that a test can look inside.
#[derive(Debug, Clone, Default)]
pub struct MemoryState(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl MemoryState {
    /// Returns an empty state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn map(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets (`Some`) or deletes (`None`) a key.
    pub fn apply(&self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.map().insert(key.to_vec(), value.to_vec()),
            None => self.map().remove(key),
        };
    }

    /// Returns a copy of all entries.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.map().clone()
    }
}

impl StateReader for MemoryState {
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        Ok(self.map().get(key).map(|value| out.extend_from_slice(value)).is_some())
    }

    fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let bounds = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        for (key, value) in self.map().range::<[u8], _>(bounds) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
