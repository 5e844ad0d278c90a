//! All processes with their state directories, and what happens to them: crashes, pauses, stalls, leaving, coming back.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use millpond::topology::Topology;
use millpond_mutants::{Mutant, is};

use crate::disk::Disk;
use crate::driver::Process;
use crate::executor::{MS, Micros, Never, SECOND};
use crate::network::Line;
use crate::operator;
use crate::report::Fault;
use crate::world::{World, note};

/// A place for a process.
#[derive(Default)]
struct Seat {
    disk: Rc<RefCell<Disk>>,
    process: Option<Process>,
    /// Nothing starts here.
    is_closed: bool,
}

/// All processes.
#[derive(Default)]
pub(crate) struct Fleet {
    pub(crate) topology: Option<Topology>,
    pub(crate) lines: Vec<Weak<Line>>,
    seats: Vec<Seat>,
}

/// A point where a process may die.
pub(crate) async fn step(world: &Rc<World>) {
    if world.scenario.step_crash == 0 {
        return;
    }
    let group = world.executor.current_group();
    let number = {
        let fleet = world.fleet.borrow();
        fleet
            .seats
            .iter()
            .position(|seat| seat.process.as_ref().is_some_and(|process| process.group == group))
    };
    let Some(number) = number else { return };
    if world.fault(Fault::CrashAtStep, world.scenario.step_crash) {
        crash(world, number);
        Never.await;
    }
}

/// Ends a process as kill -9 does.
fn crash(world: &Rc<World>, number: usize) {
    let (process, disk) = {
        let mut fleet = world.fleet.borrow_mut();
        let Some(seat) = fleet.seats.get_mut(number) else { return };
        (seat.process.take(), Rc::clone(&seat.disk))
    };
    let Some(process) = process else { return };
    note!(world, "process {number} crashes");
    world.executor.kill(process.group);
    disk.borrow_mut().crash(world);
    comes_back(world, number);
}

fn comes_back(world: &Rc<World>, number: usize) {
    let wait = if world.chance(600_000) {
        world.between(20 * MS, SECOND)
    } else {
        world.between(SECOND, 12 * SECOND)
    };
    world.executor.at(world.now() + wait, move |world| start(world, number));
}

fn start(world: &Rc<World>, number: usize) {
    let disk = {
        let fleet = world.fleet.borrow();
        let seat = &fleet.seats[number];
        if seat.process.is_some() || seat.is_closed {
            return;
        }
        Rc::clone(&seat.disk)
    };
    let process = Process::start(world, number, &disk);
    world.fleet.borrow_mut().seats[number].process = Some(process);
}

/// A process has ended by itself.
pub(crate) fn ended(world: &Rc<World>, number: usize, clean: bool) {
    let (process, disk) = {
        let mut fleet = world.fleet.borrow_mut();
        let seat = &mut fleet.seats[number];
        (seat.process.take(), Rc::clone(&seat.disk))
    };
    let Some(process) = process else { return };
    note!(world, "process {number} ends, clean: {clean}");
    if let Some(why) = process.shared.fatal() {
        world.tally.borrow_mut().stop(&why);
        if !is_fenced_by_its_own(world, &why) && !operator::is_noticed(world, &why) {
            world.fail(format!("I10: process {number} ended itself: {why}"));
        }
    }
    world.executor.kill(process.group);
    if !clean {
        disk.borrow_mut().crash(world);
    }
    comes_back(world, number);
}

/// Says whether a stop is the answer to a late request of the same seat: a JoinGroup or InitProducerId that was under way
/// when its sender gave it up takes the place of the one that lives. Whoever is fenced cannot tell that from another process
/// with its id; it ends, and its next start is well.
fn is_fenced_by_its_own(world: &World, why: &str) -> bool {
    let fenced = why.contains("uses this instance id") || why.contains("refused the transaction for good");
    // With one of these off a member is back while requests of the one before it are under way. To stop is safe then; what is
    // looked for is a commit.
    let is_back_early = is(Mutant::LossKeepsTasks) || is(Mutant::NewFenceBeforeDropped);
    fenced && (is_back_early || world.broker.borrow().was_superseded())
}

fn pick(world: &Rc<World>) -> Option<usize> {
    let fleet = world.fleet.borrow();
    let alive: Vec<usize> = (0..fleet.seats.len()).filter(|&at| fleet.seats[at].process.is_some()).collect();
    (!alive.is_empty()).then(|| world.random.borrow_mut().pick(&alive))
}

fn pause(world: &Rc<World>) {
    let Some(number) = pick(world) else { return };
    let fleet = world.fleet.borrow();
    let Some(process) = &fleet.seats[number].process else { return };
    let time = world.between(50 * MS, world.scenario.pause_max);
    note!(world, "process {number} is paused for {} ms", time / 1000);
    world.executor.pause(process.group, world.now() + time);
}

/// One stream thread gets no time, the rest of its process goes on.
fn stall(world: &Rc<World>) {
    let Some(number) = pick(world) else { return };
    let fleet = world.fleet.borrow();
    let Some(process) = &fleet.seats[number].process else { return };
    let time = world.between(50 * MS, world.scenario.pause_max);
    let thread = world.random.borrow_mut().pick(&process.threads);
    note!(world, "a thread of process {number} stalls for {} ms", time / 1000);
    world.executor.stall(thread, world.now() + time);
}

fn leave(world: &Rc<World>) {
    let Some(number) = pick(world) else { return };
    let fleet = world.fleet.borrow();
    let Some(process) = &fleet.seats[number].process else { return };
    note!(world, "process {number} is asked to stop");
    process.shared.stop();
}

fn bounce(world: &Rc<World>) {
    let until = world.now() + world.between(50 * MS, 2500 * MS);
    world.broker.borrow_mut().bounce(world, until);
    let lines = std::mem::take(&mut world.fleet.borrow_mut().lines);
    lines.iter().filter_map(Weak::upgrade).for_each(|line| line.cut(world));
}

/// Does `what` again and again until the calm.
fn again_and_again(world: &Rc<World>, every: Micros, fault: Fault, what: fn(&Rc<World>)) {
    if every == 0 {
        return;
    }
    let next = world.now() + world.between(every / 4, every * 2);
    world.executor.at(next, move |world| {
        if !world.is_calm() {
            world.count(fault);
            what(world);
            again_and_again(world, every, fault, what);
        }
    });
}

/// Asks every process to stop and lets none start.
pub(crate) fn close_all(world: &Rc<World>) {
    for seat in &mut world.fleet.borrow_mut().seats {
        seat.is_closed = true;
        if let Some(process) = &seat.process {
            process.shared.stop();
        }
    }
}

/// Says whether no process runs.
pub(crate) fn is_empty(world: &World) -> bool {
    world.fleet.borrow().seats.iter().all(|seat| seat.process.is_none())
}

/// Lets processes start again.
pub(crate) fn open_all(world: &Rc<World>) {
    for number in 0..world.scenario.processes {
        world.fleet.borrow_mut().seats[number].is_closed = false;
        start(world, number);
    }
}

/// Ends a process and lets none start in its place.
fn end_for_good(world: &Rc<World>, number: usize) {
    world.fleet.borrow_mut().seats[number].is_closed = true;
    crash(world, number);
}

/// Starts the processes and what happens to them.
pub(crate) fn begin(world: &Rc<World>) {
    let scenario = &world.scenario;
    for number in 0..scenario.processes {
        world.fleet.borrow_mut().seats.push(Seat::default());
        let late = if number == 0 { 0 } else { world.between(0, 3 * SECOND) };
        world.executor.at(late, move |world| start(world, number));
    }
    if scenario.has_twin {
        let twin = scenario.processes;
        world.count(Fault::TwinInstance);
        world.fleet.borrow_mut().seats.push(Seat::default());
        world.executor.at(world.between(0, 5 * SECOND), move |world| start(world, twin));
        world.executor.at(scenario.calm_at, move |world| end_for_good(world, twin));
    }
    operator::begin(world);
    again_and_again(world, scenario.crash_every, Fault::Crash, |world| {
        if let Some(number) = pick(world) {
            crash(world, number);
        }
    });
    again_and_again(world, scenario.pause_every, Fault::Pause, pause);
    again_and_again(world, scenario.stall_every, Fault::ThreadStall, stall);
    again_and_again(world, scenario.leave_every, Fault::Leave, leave);
    again_and_again(world, scenario.bounce_every, Fault::BrokerBounce, bounce);
}
