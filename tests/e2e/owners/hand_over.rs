//! SIGKILL while tasks are on their way from one process to another: of the one that gives, of the one that takes.

use std::time::{Duration, Instant};

use super::{Load, PATIENCE, finish, wait_work};
use crate::support::{Ends, Node, World, wait_until};

/// Closing a task commits first, which takes longer than a look at the status.
const SLOW: (&str, &str) = ("FAILPOINTS", "txn::after_send_offsets=sleep(1500)");
/// A restore that takes longer than a look at the status.
const SLOW_RESTORE: (&str, &str) = ("FAILPOINTS", "state::in_restore=sleep(3000)");
/// Session of a member, and what the rest may take on a busy machine.
const TAKE_OVER_MAX: Duration = Duration::from_secs(6 + 40);
const RATE: u64 = 600;

#[test]
fn a_kill_of_the_giver_or_of_the_taker_loses_nothing() {
    let world = World::new("hand-over");
    let mut host = Node::start(&world, "host", &[SLOW]);
    host.wait_ready(PATIENCE);
    let load = Load::start(&world, RATE, &[]);
    wait_until("work is under way", PATIENCE, || host.committed() > 500);
    let mut guest = Node::start(&world, "guest", &[]);
    wait_until("the guest is in the group", PATIENCE, || guest.generation().is_some());
    let (kept, moved) = (host.tasks(), guest.tasks());
    host.kill();
    let is_open = Ends::of(&world, &world.changelog()).is_open();
    assert_eq!((kept, moved), (4, 0), "void: nothing was on its way when the giver was killed");
    let killed = Instant::now();
    wait_until("the guest has all tasks", TAKE_OVER_MAX, || guest.runs(4));
    eprintln!(
        "the giver killed, a transaction open: {is_open}; taken over after {} ms",
        killed.elapsed().as_millis()
    );
    wait_work(&guest);
    let mut taker = Node::start(&world, "host", &[SLOW_RESTORE]);
    wait_until("the taker restores", PATIENCE, || taker.phases().iter().any(|phase| phase == "restoring"));
    std::thread::sleep(Duration::from_millis(500));
    let (phases, kept) = (taker.phases(), guest.tasks());
    taker.kill();
    assert!(phases.contains(&"restoring".to_owned()), "void: {phases:?} when the taker was killed");
    // One may be given up that the taker has not got yet.
    assert!(kept + phases.len() <= 4, "void: {kept} kept beside {phases:?}, they were not given up yet");
    let killed = Instant::now();
    wait_until("the guest has them back", TAKE_OVER_MAX, || guest.runs(4));
    eprintln!("the taker killed with {phases:?}; taken back after {} ms", killed.elapsed().as_millis());
    let mut again = Node::start(&world, "host", &[]);
    wait_until("each has two tasks", PATIENCE, || again.runs(2) && guest.runs(2));
    wait_work(&again);
    wait_work(&guest);
    finish(&world, load, &mut [&mut guest, &mut again], &["guest", "host"]);
}
