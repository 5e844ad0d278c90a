//! The model of Apache Kafka: one broker with partition logs, the transaction coordinator of protocol v1, committed
//! offsets and the group coordinator.

mod frames;
mod group;
mod log;
mod transactions;

use std::collections::BTreeMap;
use std::rc::Rc;

pub(crate) use group::Group;
pub(crate) use log::{Log, Rec};
pub(crate) use transactions::{Answer, FenceSent, Offsets, SentOffset, Transactions};

use crate::executor::Micros;
use crate::report::Fault;
use crate::scenario::Scenario;
use crate::world::{World, note};

/// A topic of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Topic {
    Orders,
    Payments,
    Changelog,
    Events,
    Letters,
}

impl Topic {
    pub(crate) const INPUTS: [Self; 2] = [Self::Orders, Self::Payments];
    const ALL: [Self; 5] = [Self::Orders, Self::Payments, Self::Changelog, Self::Events, Self::Letters];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Orders => crate::bank::ORDERS,
            Self::Payments => crate::bank::PAYMENTS,
            Self::Changelog => "bank.bank.changelog",
            Self::Events => crate::bank::EVENTS,
            Self::Letters => crate::bank::LETTERS,
        }
    }

    pub(crate) fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|topic| topic.name() == name).unwrap()
    }

    pub(crate) fn id(self) -> [u8; 16] {
        [self as u8 + 1; 16]
    }
}

/// A partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Part {
    pub(crate) topic: Topic,
    pub(crate) partition: u32,
}

/// A producer's identity at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pid {
    pub(crate) id: u64,
    pub(crate) epoch: u32,
}

/// The broker.
pub(crate) struct Broker {
    pub(crate) logs: BTreeMap<Part, Log>,
    pub(crate) transactions: Transactions,
    pub(crate) offsets: Offsets,
    pub(crate) group: Group,
    down_until: Micros,
    /// Number of starts: what was under way to an earlier one is gone.
    boots: u64,
    marker_max: Micros,
}

impl Broker {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let parts = Topic::ALL
            .into_iter()
            .flat_map(|topic| (0..scenario.partitions).map(move |partition| Part { topic, partition }));
        Self {
            logs: parts.map(|part| (part, Log::default())).collect(),
            transactions: Transactions::default(),
            offsets: Offsets::default(),
            group: Group::default(),
            down_until: 0,
            boots: 0,
            marker_max: scenario.marker_max,
        }
    }

    /// Says whether a member or a producer ever took the place of another.
    pub(crate) fn was_superseded(&self) -> bool {
        self.group.replaced > 0 || self.transactions.superseded > 0
    }

    pub(crate) fn log(&self, part: Part) -> &Log {
        &self.logs[&part]
    }

    pub(crate) fn boots(&self) -> u64 {
        self.boots
    }

    pub(crate) fn is_up(&self, now: Micros) -> bool {
        now >= self.down_until
    }

    /// Goes down until `until`; connections break, memory of sessions starts anew.
    pub(crate) fn bounce(&mut self, world: &Rc<World>, until: Micros) {
        note!(world, "broker down until {} ms", until / 1000);
        self.down_until = until;
        self.boots += 1;
        self.group.restarted(until);
        world.executor.at(until, |world| {
            let mut broker = world.broker.borrow_mut();
            broker.group.up(world);
            broker.resume_markers(world);
        });
    }

    /// Compacts the changelogs now and then.
    pub(crate) fn compact_again(world: &Rc<World>) {
        let every = world.scenario.compact_every;
        if every == 0 || world.is_calm() {
            return;
        }
        world.executor.at(world.now() + every, |world| {
            let mut gone = 0;
            for (part, log) in &mut world.broker.borrow_mut().logs {
                gone += if part.topic == Topic::Changelog { log.compact() } else { 0 };
            }
            for _ in 0..gone {
                world.count(Fault::RecordsCompacted);
            }
            Self::compact_again(world);
        });
    }

    /// Appends input records: plain, or as a transaction of somebody else.
    pub(crate) fn load(&mut self, part: Part, records: Vec<Rec>, how: log::Load) {
        if let Some(log) = self.logs.get_mut(&part) {
            log.load(records, how);
        }
    }
}

pub(crate) use log::Load;
