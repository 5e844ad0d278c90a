//! The network: every request may be lost, held, answered into the void, or slow; connections are independent.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;

use crate::executor::{Inbox, MS, Micros, TaskRef};
use crate::report::Fault;
use crate::world::{World, note};

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Init,
    AddPartitions,
    Produce,
    AddOffsets,
    TxnOffsets,
    EndTxn,
    Query,
}

impl Api {
    fn factor(self, world: &World) -> u64 {
        match self {
            Self::EndTxn => world.scenario.end_factor,
            Self::Init
            | Self::AddPartitions
            | Self::Produce
            | Self::AddOffsets
            | Self::TxnOffsets
            | Self::Query => 1,
        }
    }
}

/// What becomes of a request: when it arrives, and when its answer or the end of the connection is noticed.
#[derive(Debug, Clone, Copy)]
enum Course {
    Fine { there: Micros, back: Micros },
    Lost { noticed: Micros },
    Held { there: Micros, noticed: Micros },
    ReplyLost { there: Micros, noticed: Micros },
}

impl World {
    fn hop(&self) -> Micros {
        if self.chance(50_000) { self.between(2 * MS, 25 * MS) } else { self.between(150, 1500) }
    }

    /// A cut is noticed at once or by a timeout.
    fn notice(&self) -> Micros {
        if self.chance(600_000) { self.between(MS, 20 * MS) } else { self.between(100 * MS, 3000 * MS) }
    }

    fn course(&self, factor: u64) -> Course {
        let scenario = &self.scenario;
        let there = self.hop();
        if self.fault(Fault::RequestLost, scenario.lost * factor) {
            return Course::Lost { noticed: self.notice() };
        }
        if self.fault(Fault::RequestHeld, scenario.held * factor) {
            let held = self.between(MS, scenario.held_max);
            return Course::Held { there: there + held, noticed: self.notice().min(there + held) };
        }
        if self.fault(Fault::ReplyLost, scenario.reply_lost * factor) {
            return Course::ReplyLost { there, noticed: there + self.notice() };
        }
        let back = self.hop();
        if self.fault(Fault::Slow, scenario.slow * factor) {
            let more = self.between(10 * MS, 2500 * MS);
            return if self.chance(500_000) {
                Course::Fine { there: there + more, back }
            } else {
                Course::Fine { there, back: back + more }
            };
        }
        Course::Fine { there, back }
    }
}

struct Reply<T> {
    value: RefCell<Option<Option<T>>>,
    waiting: Cell<Option<TaskRef>>,
}

impl<T> Reply<T> {
    fn put(&self, world: &World, value: Option<T>) {
        let mut slot = self.value.borrow_mut();
        if slot.is_none() {
            *slot = Some(value);
            if let Some(task) = self.waiting.take() {
                world.executor.wake(task, world.now());
            }
        }
    }
}

/// Sends one request and waits for its answer up to `patience`; `None` = none came. What was sent may still arrive.
pub(crate) async fn call<T: 'static>(
    world: &Rc<World>,
    api: Api,
    patience: Micros,
    serve: impl FnOnce(&Rc<World>) -> T + 'static,
) -> Option<T> {
    crate::fleet::step(world).await;
    let reply = Rc::new(Reply { value: RefCell::new(None), waiting: Cell::new(None) });
    let course = world.course(api.factor(world));
    let (now, boots) = (world.now(), world.broker.borrow().boots());
    let (there, back, noticed) = match course {
        Course::Fine { there, back } => (Some(there), Some(back), None),
        Course::Lost { noticed } => (None, None, Some(noticed)),
        Course::Held { there, noticed } | Course::ReplyLost { there, noticed } => {
            (Some(there), None, Some(noticed))
        }
    };
    if !matches!(course, Course::Fine { .. }) {
        note!(world, "network: {api:?} {course:?}");
    }
    if let Some(noticed) = noticed {
        let reply = Rc::clone(&reply);
        world.executor.at(now + noticed, move |world| reply.put(world, None));
    }
    if let Some(there) = there {
        let reply = Rc::clone(&reply);
        world.executor.at(now + there, move |world| {
            let up = {
                let broker = world.broker.borrow();
                broker.is_up(world.now()) && broker.boots() == boots
            };
            if !up {
                return reply.put(world, None);
            }
            let value = serve(world);
            if let Some(back) = back {
                world.executor.at(world.now() + back, move |world| reply.put(world, Some(value)));
            }
        });
    }
    let until = now + patience;
    let mut armed = false;
    let answer = std::future::poll_fn(|_| {
        if let Some(value) = reply.value.borrow_mut().take() {
            return Poll::Ready(value);
        }
        if world.now() >= until {
            return Poll::Ready(None);
        }
        let task = world.executor.current();
        reply.waiting.set(Some(task));
        if !std::mem::replace(&mut armed, true) {
            world.executor.wake(task, until);
        }
        Poll::Pending
    })
    .await;
    crate::fleet::step(world).await;
    answer
}

/// What a member's connection brings.
#[derive(Debug)]
pub(crate) enum FromLine {
    Connected,
    Disconnected,
    Bytes(Vec<u8>),
}

/// A member's connection to the coordinator.
pub(crate) struct Line {
    pub(crate) inbox: Rc<Inbox<FromLine>>,
    open: Cell<bool>,
    boots: u64,
    /// Answers keep their order.
    last: Cell<Micros>,
}

impl Line {
    /// Begins to connect; `inbox` is told how that went.
    pub(crate) fn dial(world: &Rc<World>, inbox: &Rc<Inbox<FromLine>>) -> Rc<Self> {
        let boots = world.broker.borrow().boots();
        let line =
            Rc::new(Self { inbox: Rc::clone(inbox), open: Cell::new(true), boots, last: Cell::new(0) });
        let (hop, lost) = (world.hop(), world.fault(Fault::RequestLost, world.scenario.lost));
        let dialing = Rc::clone(&line);
        world.executor.at(world.now() + hop, move |world| {
            let up = !lost && world.broker.borrow().is_up(world.now());
            if up {
                dialing.tell(world, FromLine::Connected);
            } else {
                dialing.cut(world);
            }
        });
        world.fleet.borrow_mut().lines.push(Rc::downgrade(&line));
        line
    }

    fn tell(&self, world: &World, what: FromLine) {
        if self.open.get() {
            self.inbox.push(world, what);
        }
    }

    /// Breaks the connection; the member notices.
    pub(crate) fn cut(&self, world: &World) {
        if self.open.replace(false) {
            self.inbox.push(world, FromLine::Disconnected);
        }
    }

    /// Closes the connection from the member's side.
    pub(crate) fn close(&self) {
        self.open.set(false);
    }

    pub(crate) fn send(self: &Rc<Self>, world: &Rc<World>, bytes: Vec<u8>) {
        let course = world.course(1);
        let now = world.now();
        let (there, noticed) = match course {
            Course::Fine { there, .. } => (Some(there), None),
            Course::Lost { noticed } => (None, Some(noticed)),
            Course::Held { there, noticed } => (Some(there), Some(noticed)),
            Course::ReplyLost { there, noticed } => (Some(there), Some(noticed)),
        };
        if let Some(noticed) = noticed {
            let line = Rc::clone(self);
            world.executor.at(now + noticed, move |world| line.cut(world));
        }
        if let Some(there) = there {
            let line = Rc::clone(self);
            world.executor.at(now + there, move |world| {
                let mut broker = world.broker.borrow_mut();
                if broker.is_up(world.now()) && broker.boots() == line.boots {
                    broker.group.request(world, &line, &bytes);
                } else {
                    drop(broker);
                    line.cut(world);
                }
            });
        }
    }

    /// Sends an answer back.
    pub(crate) fn answer(self: &Rc<Self>, world: &Rc<World>, bytes: Vec<u8>) {
        let mut at = world.now() + world.hop();
        if world.fault(Fault::Slow, world.scenario.slow) {
            at += world.between(10 * MS, 2500 * MS);
        }
        at = at.max(self.last.get());
        self.last.set(at);
        let line = Rc::clone(self);
        let lost = world.fault(Fault::ReplyLost, world.scenario.reply_lost);
        world.executor.at(at, move |world| {
            if lost {
                line.cut(world);
            } else {
                line.tell(world, FromLine::Bytes(bytes));
            }
        });
    }
}
