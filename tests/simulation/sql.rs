//! The model of PostgreSQL, and two sink workers that both believe, at times, that a partition is theirs.
//!
//! A worker follows the order of `src/sink`: offsets by compare-and-swap first, rows after, one transaction; a COMMIT that is
//! not answered is resolved by reading the offset again.

use std::collections::BTreeMap;
use std::rc::Rc;

use millpond_mutants::Mutant;
use millpond_topology::RawRecord;

use crate::broker::{Part, Rec, Topic};
use crate::executor::{MS, SECOND};
use crate::report::Fault;
use crate::world::{World, note};

/// The database: one row of offsets per partition, one row per event.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) offsets: BTreeMap<u32, i64>,
    /// Rows as they were inserted, by partition: the event's offset and value.
    pub(crate) rows: BTreeMap<u32, Vec<(i64, Vec<u8>)>>,
}

impl Database {
    pub(crate) fn new(partitions: u32) -> Self {
        Self { offsets: (0..partitions).map(|p| (p, 0)).collect(), rows: BTreeMap::new() }
    }

    /// One transaction; `None` when the offset is not the expected one.
    fn commit(&mut self, partition: u32, expected: i64, next: i64, rows: &[Rec]) -> Option<()> {
        let known = self.offsets.get_mut(&partition)?;
        if *known != expected && !millpond_mutants::is(Mutant::SinkWithoutSwap) {
            return None;
        }
        *known = next;
        let table = self.rows.entry(partition).or_default();
        table.extend(rows.iter().map(|row| (row.offset(), row.value().unwrap_or_default().to_vec())));
        Some(())
    }
}

/// Starts the workers.
pub(crate) fn begin(world: &Rc<World>) {
    for number in 0..2u32 {
        let group = world.executor.group();
        world.executor.spawn(group, work(Rc::clone(world), number));
        stop_and_go(world, group);
    }
}

/// Takes time away from a worker, so that its batch is old when it goes on.
fn stop_and_go(world: &Rc<World>, group: usize) {
    let every = world.scenario.sink_swap_every;
    if every == 0 || world.is_calm() {
        return;
    }
    let next = world.now() + world.between(every / 2, every * 2);
    world.executor.at(next, move |world| {
        if !world.is_calm() {
            world.count(Fault::SinkTakeover);
            world.executor.pause(group, world.now() + world.between(10 * MS, 3 * SECOND));
            stop_and_go(world, group);
        }
    });
}

/// Says whether a worker believes that `partition` is its own: they swap now and then, not at the same moment.
fn believes(world: &World, number: u32, partition: u32) -> bool {
    let every = world.scenario.sink_swap_every.max(500 * MS);
    let turn = (world.now() + u64::from(number) * every / 3) / every;
    (turn + u64::from(partition) + u64::from(number)).is_multiple_of(2)
}

async fn work(world: Rc<World>, number: u32) {
    let mut next: BTreeMap<u32, i64> = BTreeMap::new();
    loop {
        world.sleep(world.between(30 * MS, 120 * MS)).await;
        for partition in 0..world.scenario.partitions {
            if !believes(&world, number, partition) {
                next.remove(&partition);
                continue;
            }
            let from = match next.get(&partition) {
                Some(from) => *from,
                None => {
                    world.sleep(world.between(MS, 5 * MS)).await;
                    world.database.borrow().offsets[&partition]
                }
            };
            let (rows, end) = fetch(&world, partition, from);
            if end > from && write(&world, partition, (from, end), &rows).await {
                next.insert(partition, end);
            } else if end > from {
                next.remove(&partition);
            }
        }
    }
}

fn fetch(world: &World, partition: u32, from: i64) -> (Vec<Rec>, i64) {
    let broker = world.broker.borrow();
    if !broker.is_up(world.now()) {
        return (Vec::new(), from);
    }
    let log = broker.log(Part { topic: Topic::Events, partition });
    let most = usize::try_from(world.between(1, 30)).unwrap();
    let mut more = log.committed(from);
    let rows: Vec<Rec> = more.by_ref().take(most).cloned().collect();
    let all = more.next().is_none();
    let last = rows.last().map_or(from, |row| row.offset() + 1);
    (rows, if all { log.last_stable().max(from) } else { last })
}

/// Writes a batch; `false` = read the offset again and go on from there.
async fn write(world: &Rc<World>, partition: u32, (from, end): (i64, i64), rows: &[Rec]) -> bool {
    world.sleep(world.between(MS, 20 * MS)).await;
    if world.fault(Fault::SqlCutBeforeCommit, world.scenario.sql_cut) {
        return false;
    }
    let unknown = world.fault(Fault::SqlCommitUnknown, world.scenario.sql_cut);
    if unknown && world.chance(500_000) {
        return false;
    }
    let done = world.database.borrow_mut().commit(partition, from, end, rows).is_some();
    note!(world, "sql: {partition} {from}..{end} {}", if done { "committed" } else { "refused" });
    if done {
        world.audit.borrow_mut().sink(world, partition, end);
    }
    world.sleep(world.between(MS, 3 * MS)).await;
    done && !unknown
}
