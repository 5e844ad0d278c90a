//! An operator who moves committed offsets while everything is stopped, and sets them back when a process says so.

use std::cell::RefCell;
use std::rc::Rc;

use crate::broker::Part;
use crate::executor::{MS, Micros};
use crate::fleet;
use crate::report::Fault;
use crate::world::{World, note};

const LOOK_AGAIN: Micros = 100 * MS;

/// What was moved and not yet noticed: where it was before.
#[derive(Default)]
pub(crate) struct Moved(RefCell<Option<(Part, (i64, String))>>);

impl Moved {
    /// Returns the partition whose offset is not the state's.
    pub(crate) fn part(&self) -> Option<Part> {
        self.0.borrow().as_ref().map(|(part, _)| *part)
    }
}

/// Lets the operator come when it is time.
pub(crate) fn begin(world: &Rc<World>) {
    if world.scenario.operator_at > 0 {
        world.executor.at(world.scenario.operator_at, |world| {
            fleet::close_all(world);
            move_when_stopped(world);
        });
    }
}

fn move_when_stopped(world: &Rc<World>) {
    let settled = fleet::is_empty(world) && world.broker.borrow().is_settled();
    if !settled {
        world.executor.at(world.now() + LOOK_AGAIN, move_when_stopped);
        return;
    }
    let known: Vec<Part> = world.broker.borrow().offsets.committed.keys().copied().collect();
    if !known.is_empty() {
        let part = world.random.borrow_mut().pick(&known);
        let by = i64::try_from(world.between(1, 3)).unwrap();
        let mut broker = world.broker.borrow_mut();
        let before = broker.offsets.committed[&part].clone();
        let to = if world.chance(500_000) || before.0 < by { before.0 + by } else { before.0 - by };
        note!(world, "the operator moves {part:?} from {} to {to}", before.0);
        world.count(Fault::OffsetsMoved);
        broker.offsets.committed.insert(part, (to, String::new()));
        *world.moved.0.borrow_mut() = Some((part, before));
    }
    fleet::open_all(world);
}

/// Says whether a process ended because offsets were moved, as it must; the operator sets them back then.
pub(crate) fn is_noticed(world: &Rc<World>, why: &str) -> bool {
    let named = |part: Part| why.contains(&format!("{}-{}", part.topic.name(), part.partition));
    let told = why.contains("moved from outside") && world.moved.part().is_some_and(named);
    if told && let Some((part, before)) = world.moved.0.take() {
        note!(world, "the operator sets {part:?} back to {}", before.0);
        world.broker.borrow_mut().offsets.committed.insert(part, before);
    }
    told
}
