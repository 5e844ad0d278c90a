//! The stores of one task: one overlay over one base.

use std::ops::ControlFlow;

use millpond_mutants::{Mutant, is};

use super::held::Held;
use super::overlay::{Found, Overlay, TallyChange};
use super::reader::{StateReader, Visit, scan_bounds};
use super::spec::{StoreSpec, Tally};
use crate::changelog::{StoreTally, changelog_key, split_changelog_key};
use crate::error::StoreError;
use crate::task::Restored;

/// All stores of a task, with the buffers that make access free of allocation.
pub(crate) struct StoreSet {
    pub(crate) overlay: Overlay,
    held: Held,
    base: Box<dyn StateReader>,
    specs: Vec<StoreSpec>,
    /// Tallies as of the last committed transaction.
    committed: Vec<StoreTally>,
    key: Vec<u8>,
    value: Vec<u8>,
    reads: u64,
}

impl StoreSet {
    /// Returns the stores over `base`, with the tallies of its marker.
    ///
    /// A tally that the marker does not have (the topology keeps it since) is counted once: going on from
    /// zero would make every later one wrong. Before the first transaction there is nothing to count.
    pub(crate) fn new(
        specs: Vec<StoreSpec>,
        base: Box<dyn StateReader>,
        restored: &Restored,
        held_bytes_max: usize,
    ) -> Result<Self, StoreError> {
        let mut committed = Vec::new();
        for spec in &specs {
            let Some(tally) = &spec.tally else { continue };
            let fits = |known: &&StoreTally| known.store == spec.id && known.sums.len() == tally.names.len();
            committed.push(match restored.tallies.iter().find(fits) {
                Some(known) => known.clone(),
                None if restored.sequence == 0 => no_tally(spec.id, tally),
                None => counted(base.as_ref(), spec.id, tally)?,
            });
        }
        let (key, value) = (Vec::new(), Vec::new());
        let held = Held::new(held_bytes_max);
        Ok(Self { overlay: Overlay::new(), held, base, specs, committed, key, value, reads: 0 })
    }

    /// Returns the number of reads that went to the base so far.
    pub(crate) fn base_reads(&self) -> u64 {
        self.reads
    }

    fn is_held(&self, store: u16) -> bool {
        self.specs.iter().any(|spec| spec.is_held && spec.id == store)
    }

    fn keeps_tally(&self, store: u16) -> bool {
        self.committed.iter().any(|tally| tally.store == store)
    }

    fn tally_of(&self, store: u16, value: &[u8]) -> Result<Option<[i64; super::TALLY_SUMS]>, StoreError> {
        let spec = self.specs.iter().find(|spec| spec.id == store);
        spec.and_then(|spec| spec.tally.as_ref()).map(|tally| (tally.of)(value)).transpose()
    }

    /// Calls `read` with the value under the key that `encode` appends.
    pub(crate) fn get<T>(
        &mut self,
        store: u16,
        encode: impl FnOnce(&mut Vec<u8>),
        read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.key.clear();
        changelog_key(store, &[], &mut self.key);
        encode(&mut self.key);
        match self.overlay.get(&self.key) {
            Found::Live(value) => return read(value).map(Some),
            Found::Absent => return Ok(None),
            Found::Unknown => {}
        }
        self.value.clear();
        let is_held = self.is_held(store);
        let mut found = is_held && self.held.get(&self.key, &mut self.value);
        let is_absent = is_held && is(Mutant::PartialSaysAbsent);
        if !(found || is_absent) {
            self.reads += 1;
            found = self.base.get(&self.key, &mut self.value)?;
            if found && is_held {
                self.held.hold(&self.key, &self.value);
            }
        }
        let value = found.then_some(self.value.as_slice());
        if self.keeps_tally(store) {
            let before = value.map(|value| self.tally_of(store, value)).transpose()?.flatten();
            self.overlay.remember(&self.key, value, Some(TallyChange { before, after: before }));
        } else if found {
            self.overlay.remember(&self.key, value, None);
        }
        value.map(read).transpose()
    }

    /// Writes the value that `encode_value` appends (or deletes the key, when it says so).
    pub(crate) fn put(
        &mut self,
        store: u16,
        encode_key: impl Fn(&mut Vec<u8>),
        encode_value: impl FnOnce(&mut Vec<u8>) -> Result<Presence, StoreError>,
    ) -> Result<(), StoreError> {
        let mut change = None;
        if self.keeps_tally(store) {
            // The committed value must be known, so that the tally can take it away.
            self.get(store, &encode_key, |_| Ok(()))?;
            change = self.overlay.tally(&self.key);
        } else {
            self.key.clear();
            changelog_key(store, &[], &mut self.key);
            encode_key(&mut self.key);
        }
        self.value.clear();
        let present = encode_value(&mut self.value)? == Presence::Present;
        let value = present.then_some(self.value.as_slice());
        if let Some(change) = &mut change {
            change.after = value.map(|value| self.tally_of(store, value)).transpose()?.flatten();
        }
        self.overlay.write(&self.key, value, change);
        Ok(())
    }

    /// Visits the live keys in `from..to` (changelog keys of one store), overlay merged over base.
    pub(crate) fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> Result<(), StoreError> {
        let mut order = Vec::new();
        self.overlay.sort_written(&mut order);
        let mut pending = order
            .iter()
            .filter_map(|&at| self.overlay.entry(at))
            .filter(|(key, _)| *key >= from && to.is_none_or(|to| *key < to))
            .peekable();
        let mut flow = ControlFlow::Continue(());
        self.base.scan(from, to, &mut |key, value| {
            while let Some((own, image)) = pending.next_if(|(own, _)| *own < key) {
                if let Some(image) = image {
                    flow = visit(own, image);
                    if flow.is_break() {
                        return flow;
                    }
                }
            }
            flow = match pending.next_if(|(own, _)| *own == key) {
                Some((_, Some(image))) => visit(key, image),
                Some((_, None)) => ControlFlow::Continue(()),
                None => visit(key, value),
            };
            flow
        })?;
        while let (ControlFlow::Continue(()), Some((key, image))) = (flow, pending.next()) {
            if let Some(image) = image {
                flow = visit(key, image);
            }
        }
        Ok(())
    }

    /// Sets `tallies` to what they are with the overlay applied; its buffers are used again.
    pub(crate) fn tallies_into(&self, tallies: &mut Vec<StoreTally>) {
        tallies.truncate(self.committed.len());
        for (at, committed) in self.committed.iter().enumerate() {
            match tallies.get_mut(at) {
                Some(tally) => {
                    (tally.store, tally.live_keys) = (committed.store, committed.live_keys);
                    tally.sums.clone_from(&committed.sums);
                }
                None => tallies.push(committed.clone()),
            }
        }
        for (key, change) in self.overlay.tally_changes() {
            let store = split_changelog_key(key).map_or(0, |(store, _)| store);
            let Some(tally) = tallies.iter_mut().find(|tally| tally.store == store) else { continue };
            let (before, after) = (u64::from(change.before.is_some()), u64::from(change.after.is_some()));
            tally.live_keys = tally.live_keys + after - before;
            for (at, sum) in tally.sums.iter_mut().enumerate() {
                let part = |of: Option<[i64; super::TALLY_SUMS]>| {
                    of.and_then(|sums| sums.get(at).copied()).map_or(0, i128::from)
                };
                *sum += part(change.after) - part(change.before);
            }
        }
    }

    /// Takes over `tallies` as committed, in exchange for the ones before, and forgets the overlay, which the
    /// base now holds. `order` names the overlay's written entries.
    pub(crate) fn promote(&mut self, tallies: &mut Vec<StoreTally>, order: &[usize]) {
        self.hold(order);
        std::mem::swap(&mut self.committed, tallies);
        self.overlay.clear();
    }

    /// Takes over the written values of the stores that are held; `order` names their entries of the overlay.
    pub(crate) fn hold(&mut self, order: &[usize]) {
        for &at in order {
            let Some((key, image)) = self.overlay.entry(at) else { continue };
            if !split_changelog_key(key).is_some_and(|(store, _)| self.is_held(store)) {
                continue;
            }
            match image {
                Some(value) => self.held.hold(key, value),
                None => self.held.forget(key),
            }
        }
    }
}

fn no_tally(store: u16, tally: &Tally) -> StoreTally {
    StoreTally { store, live_keys: 0, sums: vec![0; tally.names.len()] }
}

/// Counts the tally of a store by reading all of it.
fn counted(base: &dyn StateReader, store: u16, tally: &Tally) -> Result<StoreTally, StoreError> {
    let mut counted = no_tally(store, tally);
    let mut failed = None;
    let from = store.to_be_bytes();
    base.scan(&from, scan_bounds(&from).as_deref(), &mut |_, value| match (tally.of)(value) {
        Ok(parts) => {
            counted.live_keys += 1;
            counted.sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += i128::from(part));
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(counted), Err)
}

/// Says whether a value is there or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// The key has the appended value.
    Present,
    /// The key is deleted.
    Deleted,
}
