//! What the threads of a process share, and the messages between them; as `src/runtime/{shared,messages}.rs`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use millpond::engine::{Incarnation, Ownership, Snapshot};
use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use super::owned_task::OwnedTask;
use crate::executor::{MS, Micros};
use crate::world::{World, note};

/// How long `send_offsets` waits while a JoinGroup is out.
const HOLD_MAX: Micros = 300 * MS;

/// Shared by the threads of a process.
pub(crate) struct Shared {
    pub(crate) ownership: RefCell<Ownership>,
    hold: Cell<Option<Micros>>,
    losses: Cell<u64>,
    /// When the coordinator last confirmed this member, and how long that holds.
    confirmed: Cell<Option<(Micros, Micros)>>,
    stopping: Cell<bool>,
    fatal: RefCell<Option<String>>,
    /// How far the process's wall clock is off, ms.
    skew_ms: i64,
}

/// To a stream thread.
pub(crate) enum ToThread {
    Open(Box<OwnedTask>),
    Close(TaskId, Incarnation),
    ChangelogEnd(TaskId, i64),
    Lost,
    Stop,
}

/// To the instance.
pub(crate) enum ToInstance {
    Restored(Box<OwnedTask>),
    RestoreCancelled(TaskId, Incarnation),
    Closed(TaskId, Incarnation),
    LossAcknowledged(usize),
}

/// A task to restore.
pub(crate) struct RestoreRequest {
    pub(crate) task: TaskId,
    pub(crate) incarnation: Incarnation,
    pub(crate) dead_ids: Vec<String>,
    pub(crate) live_ids: Vec<String>,
}

impl Shared {
    pub(crate) fn new(process: u64, skew_max_ms: u64) -> Self {
        let skew_ms =
            i64::try_from(process % (2 * skew_max_ms + 1)).unwrap() - i64::try_from(skew_max_ms).unwrap();
        Self {
            ownership: RefCell::new(Ownership::new(process)),
            hold: Cell::new(None),
            losses: Cell::new(0),
            confirmed: Cell::new(None),
            stopping: Cell::new(false),
            fatal: RefCell::default(),
            skew_ms,
        }
    }

    /// Returns the wall clock as this process sees it.
    pub(crate) fn wall_ms(&self, world: &World) -> i64 {
        world.wall_ms() + self.skew_ms
    }

    /// Returns one snapshot, once no JoinGroup is out or after a bounded wait.
    pub(crate) async fn snapshot(&self, world: &Rc<World>) -> Snapshot {
        let held = || self.hold.get().is_some_and(|since| world.now() - since < HOLD_MAX);
        while held() && !is(Mutant::NoGate) {
            world.sleep(5 * MS).await;
        }
        self.ownership.borrow().snapshot().clone()
    }

    pub(crate) fn set_hold(&self, held: Option<Micros>) {
        self.hold.set(held);
    }

    pub(crate) fn confirm(&self, at: Micros, session: Micros) {
        self.confirmed.set(Some((at, session)));
    }

    pub(crate) fn is_member_since(&self, world: &World, since: Option<Micros>) -> bool {
        let holds = |(at, session): (Micros, Micros)| world.now().saturating_sub(at) < session;
        self.confirmed.get().is_some_and(|it| holds(it) && since.is_none_or(|since| it.0 > since))
    }

    pub(crate) fn losses(&self) -> u64 {
        self.losses.get()
    }

    pub(crate) fn lose(&self) {
        self.ownership.borrow_mut().lose();
        self.losses.set(self.losses.get() + 1);
    }

    pub(crate) fn stop(&self) {
        self.stopping.set(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn fail(&self, world: &Rc<World>, why: String) {
        note!(world, "process ends itself: {why}");
        self.fatal.borrow_mut().get_or_insert(why);
        self.stop();
    }

    pub(crate) fn fatal(&self) -> Option<String> {
        self.fatal.borrow().clone()
    }

    pub(crate) fn owns(&self, task: TaskId, incarnation: Incarnation) -> bool {
        self.ownership.borrow().snapshot().owns(task, incarnation)
    }
}
