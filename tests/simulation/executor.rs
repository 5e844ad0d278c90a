//! Simulated time: tasks that sleep and wait, events that happen, nothing that depends on the machine.
//!
//! The product's blocking code is mirrored by `async` functions. A crash drops a process's tasks at whatever point they
//! wait, a pause keeps them from being polled; what they have sent stays under way.

use std::cell::{Cell, RefCell};
use std::collections::{BinaryHeap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::world::World;

/// Microseconds of simulated time.
pub(crate) type Micros = u64;

pub(crate) const MS: Micros = 1_000;
pub(crate) const SECOND: Micros = 1_000_000;

/// A task of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskRef(usize);

type Job = Box<dyn FnOnce(&Rc<World>)>;

enum What {
    Wake(TaskRef),
    Call(Job),
}

struct Due {
    at: Micros,
    number: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

struct Slot {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Whom it belongs to; dies and pauses with it.
    group: usize,
    stalled_until: Micros,
}

#[derive(Default)]
struct Group {
    dead: bool,
    paused_until: Micros,
}

/// Time, tasks and what is due.
#[derive(Default)]
pub(crate) struct Executor {
    now: Cell<Micros>,
    numbers: Cell<u64>,
    /// Of all times and numbers so far.
    hash: Cell<u64>,
    due: RefCell<BinaryHeap<Due>>,
    slots: RefCell<Vec<Slot>>,
    groups: RefCell<Vec<Group>>,
    current: Cell<usize>,
}

impl Executor {
    pub(crate) fn now(&self) -> Micros {
        self.now.get()
    }

    fn push(&self, at: Micros, what: What) {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        self.due.borrow_mut().push(Due { at: at.max(self.now()), number, what });
    }

    /// Returns the hash of everything that happened, by time and order.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.get()
    }

    pub(crate) fn at(&self, at: Micros, job: impl FnOnce(&Rc<World>) + 'static) {
        self.push(at, What::Call(Box::new(job)));
    }

    pub(crate) fn wake(&self, task: TaskRef, at: Micros) {
        self.push(at, What::Wake(task));
    }

    pub(crate) fn current(&self) -> TaskRef {
        TaskRef(self.current.get())
    }

    /// Returns the group of the task that runs.
    pub(crate) fn current_group(&self) -> usize {
        self.slots.borrow()[self.current.get()].group
    }

    pub(crate) fn group(&self) -> usize {
        let mut groups = self.groups.borrow_mut();
        groups.push(Group::default());
        groups.len() - 1
    }

    pub(crate) fn spawn(&self, group: usize, future: impl Future<Output = ()> + 'static) -> TaskRef {
        let mut slots = self.slots.borrow_mut();
        slots.push(Slot { future: Some(Box::pin(future)), group, stalled_until: 0 });
        let task = TaskRef(slots.len() - 1);
        self.wake(task, self.now());
        task
    }

    /// Ends a group: its tasks never run again.
    pub(crate) fn kill(&self, group: usize) {
        self.groups.borrow_mut()[group].dead = true;
        let mut gone = Vec::new();
        for slot in self.slots.borrow_mut().iter_mut().filter(|slot| slot.group == group) {
            gone.extend(slot.future.take());
        }
        drop(gone);
    }

    pub(crate) fn pause(&self, group: usize, until: Micros) {
        let paused = &mut self.groups.borrow_mut()[group].paused_until;
        *paused = until.max(*paused);
    }

    /// Keeps one task from running.
    pub(crate) fn stall(&self, task: TaskRef, until: Micros) {
        let stalled = &mut self.slots.borrow_mut()[task.0].stalled_until;
        *stalled = until.max(*stalled);
    }

    /// Does the next thing; `false` when there is none.
    pub(crate) fn turn(&self, world: &Rc<World>) -> bool {
        let Some(next) = self.due.borrow_mut().pop() else { return false };
        self.now.set(next.at);
        let hash = (self.hash.get() ^ next.at).wrapping_mul(0x0100_0000_01b3) ^ next.number;
        self.hash.set(hash);
        match next.what {
            What::Call(job) => job(world),
            What::Wake(task) => self.poll(task),
        }
        true
    }

    fn poll(&self, task: TaskRef) {
        let (future, until, dead) = {
            let mut slots = self.slots.borrow_mut();
            let slot = &mut slots[task.0];
            let groups = self.groups.borrow();
            let group = &groups[slot.group];
            let until = slot.stalled_until.max(group.paused_until);
            if group.dead || until > self.now() {
                (None, until, group.dead)
            } else {
                (slot.future.take(), 0, false)
            }
        };
        if !dead && until > self.now() {
            self.wake(task, until);
        }
        let Some(mut future) = future else { return };
        self.current.set(task.0);
        let done = future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[task.0];
        let dead = self.groups.borrow()[slot.group].dead;
        if !done && !dead {
            slot.future = Some(future);
        } else {
            drop(slots);
            drop(future);
        }
    }

    /// Drops everything: tasks and jobs hold the world, which holds them.
    pub(crate) fn clear(&self) {
        let slots = std::mem::take(&mut *self.slots.borrow_mut());
        let due = std::mem::take(&mut *self.due.borrow_mut());
        drop((slots, due));
    }
}

/// Waits until `until`.
pub(crate) struct Sleep<'w> {
    pub(crate) world: &'w World,
    pub(crate) until: Micros,
    pub(crate) armed: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let executor = &self.world.executor;
        if executor.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.armed {
            executor.wake(executor.current(), self.until);
            self.armed = true;
        }
        Poll::Pending
    }
}

/// Never goes on: where a process dies.
pub(crate) struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A queue that one task waits on.
pub(crate) struct Inbox<T> {
    queue: RefCell<VecDeque<T>>,
    waiting: Cell<Option<TaskRef>>,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { queue: RefCell::default(), waiting: Cell::new(None) }
    }
}

impl<T> Inbox<T> {
    pub(crate) fn push(&self, world: &World, value: T) {
        self.queue.borrow_mut().push_back(value);
        if let Some(task) = self.waiting.take() {
            world.executor.wake(task, world.executor.now());
        }
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.queue.borrow_mut().pop_front()
    }

    /// Waits until there is something, or until `until`.
    pub(crate) async fn wait(&self, world: &World, until: Micros) {
        let mut armed = false;
        std::future::poll_fn(|_| {
            if !self.queue.borrow().is_empty() || world.executor.now() >= until {
                self.waiting.set(None);
                return Poll::Ready(());
            }
            let task = world.executor.current();
            self.waiting.set(Some(task));
            if !std::mem::replace(&mut armed, true) {
                world.executor.wake(task, until);
            }
            Poll::Pending
        })
        .await;
    }
}
