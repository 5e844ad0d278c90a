//! Which tasks this process owns, under which fence: one value, read once per transaction.

use std::collections::BTreeMap;

use millpond_membership::Fence;
use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use super::nonce::Incarnation;

/// What a thread sees when it is about to send offsets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The fence; `None` before the first generation and after a loss.
    pub fence: Option<Fence>,
    /// Tasks of the target with their incarnations.
    pub owned: BTreeMap<TaskId, Incarnation>,
}

impl Snapshot {
    /// Says whether `task` is still the acquisition that `incarnation` names.
    #[must_use]
    pub fn owns(&self, task: TaskId, incarnation: Incarnation) -> bool {
        match self.owned.get(&task) {
            Some(owned) => *owned == incarnation || is(Mutant::NoIncarnation),
            None => false,
        }
    }
}

/// Keeps the snapshot as membership events come in, and hands out incarnations.
#[derive(Debug, Clone)]
pub struct Ownership {
    process: u64,
    acquisitions: u64,
    snapshot: Snapshot,
    /// A loss was reported and not yet acknowledged by every thread: no new fence until then.
    lost: bool,
}

impl Ownership {
    /// Returns the ownership of nothing; `process` is 64 random bits.
    #[must_use]
    pub fn new(process: u64) -> Self {
        Self { process, acquisitions: 0, snapshot: Snapshot::default(), lost: false }
    }

    /// Returns the current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Takes over a new fence.
    pub fn fence(&mut self, fence: Fence) {
        if !self.lost {
            self.snapshot.fence = Some(fence);
        }
    }

    /// Acquires `task`: from here on it has a new incarnation.
    pub fn acquire(&mut self, task: TaskId) -> Incarnation {
        self.acquisitions += 1;
        let incarnation = Incarnation { process: self.process, acquisition: self.acquisitions };
        self.snapshot.owned.insert(task, incarnation);
        incarnation
    }

    /// Gives `task` up.
    pub fn release(&mut self, task: TaskId) {
        self.snapshot.owned.remove(&task);
    }

    /// Loses everything at once; no fence is taken over until [`Ownership::acknowledged`].
    pub fn lose(&mut self) {
        self.snapshot.fence = None;
        if !is(Mutant::LossKeepsTasks) {
            self.snapshot.owned.clear();
            self.lost = true;
        }
    }

    /// Notes that every thread has dropped what was lost.
    pub fn acknowledged(&mut self) {
        self.lost = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(generation: i32) -> Fence {
        match Fence::new("g", "m", None, generation) {
            Ok(fence) => fence,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_task_handed_back_is_another_incarnation() {
        let mut own = Ownership::new(1);
        let task = TaskId::new(0, 0);
        let first = own.acquire(task);
        own.release(task);
        assert!(!own.snapshot().owns(task, first));
        let second = own.acquire(task);
        assert!(own.snapshot().owns(task, second));
        assert!(!own.snapshot().owns(task, first));
    }

    #[test]
    fn no_fence_passes_between_a_loss_and_its_acknowledgement() {
        let mut own = Ownership::new(1);
        own.fence(fence(1));
        own.acquire(TaskId::new(0, 0));
        own.lose();
        own.fence(fence(2));
        assert_eq!(own.snapshot(), &Snapshot::default());
        own.acknowledged();
        own.fence(fence(3));
        assert_eq!(own.snapshot().fence, Some(fence(3)));
    }
}
