//! A task with its store; as `src/runtime/owned_task.rs`.

use std::rc::Rc;

use millpond::engine::{ChangelogPosition, Incarnation, Member, Nonce};
use millpond_mutants::{Mutant, is};
use millpond_topology::{CHANGELOG_MARKER_KEY, Task};

use crate::broker::{Part, Rec, Topic};
use crate::disk::Store;
use crate::executor::Micros;
use crate::world::World;

/// A restored task.
pub(crate) struct OwnedTask {
    pub(crate) task: Task<Rec>,
    pub(crate) store: Store,
    pub(crate) incarnation: Incarnation,
    pub(crate) previous: Option<Nonce>,
    pub(crate) attempt: u32,
    pub(crate) position: ChangelogPosition,
    pub(crate) flushed: Micros,
    /// Next offset to fetch of each input.
    pub(crate) fetched: Vec<(Part, i64)>,
}

impl OwnedTask {
    pub(crate) fn part(&self, topic: Topic) -> Part {
        Part { topic, partition: self.task.id().partition }
    }

    pub(crate) fn member(&self, transactional_id: &str) -> Member {
        let nonce = Nonce {
            incarnation: self.incarnation,
            sequence: self.task.sequence() + 1,
            attempt: self.attempt,
            transactional_id: transactional_id.to_owned(),
        };
        Member { task: self.task.id(), incarnation: self.incarnation, nonce, previous: self.previous.clone() }
    }

    pub(crate) fn apply(&mut self, world: &Rc<World>, nonce: Nonce) -> Result<bool, String> {
        let Some(sealed) = self.task.sealed() else { return Ok(false) };
        let count = i64::try_from(sealed.changelog_records()).unwrap();
        let mut rows: Vec<_> =
            sealed.images().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect();
        rows.push((CHANGELOG_MARKER_KEY.to_vec(), Some(sealed.marker_bytes().to_vec())));
        self.store.write(world, rows, self.position.after(count), "applied");
        self.position.applied(count);
        self.previous = Some(nonce);
        self.attempt = 0;
        self.task.apply().map(|_| true).map_err(|error| error.to_string())
    }

    pub(crate) fn rollback(&mut self) {
        self.task.rollback();
        self.position.aborted();
        self.attempt += 1;
    }

    /// Returns the number of records that the open transaction has processed.
    pub(crate) fn processed(&self) -> usize {
        (0..self.fetched.len()).filter_map(|at| self.task.input(at)).map(|input| input.held).sum()
    }

    /// Returns the number of records that can be processed now: none while an input must be waited for.
    pub(crate) fn waiting(&self) -> usize {
        let inputs = self.fetched.len();
        if inputs > 1 && (0..inputs).any(|at| self.task.awaits(at)) {
            return 0;
        }
        (0..inputs).filter_map(|at| self.task.input(at)).map(|input| input.waiting).sum()
    }

    pub(crate) fn flush_if_due(&mut self, world: &Rc<World>) {
        if world.now() - self.flushed >= world.scenario.flush_interval {
            self.flushed = world.now();
            self.store.flush();
        }
    }

    pub(crate) fn close(self, world: &Rc<World>) {
        let Self { task, mut store, position, .. } = self;
        drop(task);
        if is(Mutant::PositionAtClose) {
            store.write(world, Vec::new(), position.get(), "closed");
        }
        store.close();
    }
}
