//! One schedule from its seed to its end.

use std::cell::RefCell;
use std::rc::Rc;

use millpond::topology::{OwnedRecord, Topology};

use crate::bank::{self, Request};
use crate::broker::{Broker, Load, Part, Rec, Topic};
use crate::executor::{MS, Micros, SECOND};
use crate::report::{Fault, Outcome};
use crate::scenario::{Kind, Scenario};
use crate::world::{World, note};
use crate::{fleet, sql};

/// Longest time from the end of faults until everything is drained.
const DRAIN_MAX: Micros = 90 * SECOND;

thread_local! {
    /// Built once per shape: a schedule takes milliseconds.
    static TOPOLOGIES: RefCell<Vec<((u32, Micros), Topology)>> = const { RefCell::new(Vec::new()) };
}

fn topology(partitions: u32, punctuation: Micros) -> Topology {
    TOPOLOGIES.with_borrow_mut(|known| {
        let shape = (partitions, punctuation);
        if let Some((_, topology)) = known.iter().find(|(of, _)| *of == shape) {
            return topology.clone();
        }
        let built = bank::topology(partitions, i64::try_from(punctuation / 1000).unwrap());
        known.push((shape, built.clone()));
        built
    })
}

/// Whether the trace is kept as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    Hash,
    Text,
}

/// Runs the schedule of `seed`.
pub(crate) fn run(kind: Kind, seed: u64, trace: Trace) -> Outcome {
    run_scenario(kind.scenario(seed), trace)
}

/// Runs `scenario`.
pub(crate) fn run_scenario(scenario: Scenario, trace: Trace) -> Outcome {
    let world = World::new(scenario, trace == Trace::Text);
    note!(world, "{:?}", world.scenario);
    world.fleet.borrow_mut().topology = Some(topology(world.scenario.partitions, world.scenario.punctuation));
    load(&world);
    fleet::begin(&world);
    sql::begin(&world);
    Broker::compact_again(&world);
    world.executor.at(world.scenario.calm_at, |world| world.calm());
    let mut drain = Drain::default();
    while !world.has_failed() && world.executor.turn(&world) {
        if world.is_calm() && drain.is_over(&world) {
            break;
        }
    }
    if !world.has_failed() {
        world.audit.borrow().finish(&world);
    }
    let outcome = Outcome {
        seed: world.scenario.seed,
        violation: world.failure(),
        simulated: world.now(),
        hash: world.executor.hash() ^ world.random.borrow_mut().next(),
        tally: world.tally.borrow().clone(),
        lines: world.take_lines(),
    };
    world.executor.clear();
    outcome
}

/// Makes a request bad now and then: one that the bank refuses, or a payment whose event the broker refuses.
fn spoiled(world: &World, request: Request, index: usize) -> Request {
    let Scenario { bad, refused, .. } = world.scenario;
    if bad > 0 && world.chance(bad) {
        world.count(Fault::BadRecord);
        Request { account: bank::NOBODY, ..request }
    } else if refused > 0 && index == 1 && world.chance(refused) {
        world.count(Fault::RefusedRecord);
        Request { amount: bank::REFUSED, ..request }
    } else {
        request
    }
}

/// Puts the input under way.
fn load(world: &Rc<World>) {
    let scenario = &world.scenario;
    let mut left = scenario.records;
    while left > 0 {
        let count = world.between(1, 5).min(left);
        left -= count;
        let index = usize::try_from(world.between(0, 1)).unwrap();
        let part = Part {
            topic: Topic::INPUTS[index],
            partition: u32::try_from(world.between(0, u64::from(scenario.partitions) - 1)).unwrap(),
        };
        let how = world.random.borrow_mut().pick(&[Load::Plain, Load::Plain, Load::Committed, Load::Aborted]);
        let most = bank::ACCOUNTS as u64 - 1;
        let requests: Vec<Request> = (0..count)
            .map(|_| {
                let request = Request {
                    account: u8::try_from(world.between(0, most)).unwrap(),
                    other: u8::try_from(world.between(0, most)).unwrap(),
                    amount: i64::try_from(world.between(1, 60)).unwrap(),
                };
                spoiled(world, request, index)
            })
            .collect();
        let key = bank::accounts(part.partition, scenario.partitions).swap_remove(0).into_bytes();
        let at = world.between(0, scenario.calm_at - SECOND);
        world.executor.at(at, move |world| {
            let record = |request: &Request| {
                Rec(Rc::new(OwnedRecord {
                    timestamp_ms: world.wall_ms(),
                    key: Some(key.clone()),
                    value: Some(request.bytes()),
                    ..OwnedRecord::default()
                }))
            };
            let records = requests.iter().map(record).collect();
            world.broker.borrow_mut().load(part, records, how);
        });
    }
}

/// Whether everything is done after the faults.
#[derive(Default)]
struct Drain {
    next_look: Micros,
    /// Transactions of each task when the faults ended.
    lengths: Option<Vec<usize>>,
    /// Ends of the events when the inputs were drained.
    events: Option<Vec<i64>>,
}

impl Drain {
    fn is_over(&mut self, world: &Rc<World>) -> bool {
        if world.now() < self.next_look {
            return false;
        }
        self.next_look = world.now() + 10 * MS;
        let now = world.audit.borrow().lengths();
        let before = self.lengths.get_or_insert_with(|| now.clone());
        // Punctuators never rest: every task must go on, not only have caught up.
        let alive = before.iter().zip(&now).all(|(before, now)| now >= &(before + 2));
        if alive && self.events.is_none() && is_consumed(world) {
            let broker = world.broker.borrow();
            let end = |partition| broker.log(Part { topic: Topic::Events, partition }).last_stable();
            self.events = Some((0..world.scenario.partitions).map(end).collect());
        }
        if let Some(events) = &self.events {
            let database = world.database.borrow();
            let rows = (0u32..).zip(events).all(|(partition, end)| database.offsets[&partition] >= *end);
            if rows && world.broker.borrow().is_settled() {
                return true;
            }
        }
        if world.now() > world.scenario.calm_at + DRAIN_MAX {
            let events = self.events.is_some();
            world.fail(format!(
                "I10: not drained {} s after the last fault: tasks go on: {alive}, inputs consumed: {events}",
                DRAIN_MAX / SECOND
            ));
        }
        false
    }
}

fn is_consumed(world: &World) -> bool {
    let broker = world.broker.borrow();
    Topic::INPUTS.into_iter().all(|topic| {
        (0..world.scenario.partitions).all(|partition| {
            let part = Part { topic, partition };
            let next = broker.offsets.committed.get(&part).map_or(0, |known| known.0);
            broker.log(part).committed(next).next().is_none()
        })
    })
}
