//! SIGSTOP beyond session and transaction timeout, others take over, SIGCONT: nothing of the zombie becomes visible.

use std::time::{Duration, Instant};

use super::{DYNAMIC, Load, ONE_THREAD, PATIENCE, finish, wait_work};
use crate::support::{Ends, Node, World, wait_until};

/// Shorter than the pause, as is the session of 6 s.
const TRANSACTION_TIMEOUT: (&str, &str) = ("MILLPOND_TRANSACTION__TIMEOUT", "4s");
/// At least.
const PAUSE: Duration = Duration::from_secs(11);
/// Keeps transactions open long enough to be caught in one.
const SLOW: (&str, &str) = ("FAILPOINTS", "txn::after_send_offsets=sleep(600)");
/// What a process logs whose producer was fenced.
const FENCED: &str = "fenced by a newer instance";
/// Orders per second.
const RATE: u64 = 600;

/// Pauses `node` while it has a transaction open on one of its changelog partitions.
fn pause_in_a_transaction(world: &World, node: &Node) {
    let stores = node.stores("restoredFrom");
    let owned: Vec<usize> = stores.keys().filter_map(|id| id.split_once('_')?.1.parse().ok()).collect();
    let is_open = || Ends::of(world, &world.changelog()).open().iter().any(|at| owned.contains(at));
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if !is_open() {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        node.pause();
        // What is on its way arrives.
        std::thread::sleep(Duration::from_millis(200));
        if is_open() {
            return;
        }
        node.resume();
    }
    panic!("void: not caught in a transaction");
}

fn back_from_the_dead(name: &str, identity: &[(&str, &str)]) {
    let world = World::with(name, &[TRANSACTION_TIMEOUT]);
    let settings = [&[ONE_THREAD, SLOW], identity].concat();
    let mut zombie = Node::start(&world, "zombie", &settings);
    zombie.wait_ready(PATIENCE);
    let mut other = Node::start(&world, "other", identity);
    wait_until("each has two tasks", PATIENCE, || zombie.runs(2) && other.runs(2));
    let load = Load::start(&world, RATE, &[]);
    wait_until("both work", PATIENCE, || zombie.committed() > 200 && other.committed() > 200);
    let member = zombie.status().map(|status| status["member"].clone());
    pause_in_a_transaction(&world, &zombie);
    let paused = Instant::now();
    wait_until("the other one has all tasks", PATIENCE, || other.runs(4));
    wait_work(&other);
    let ended = other.logged("dead producer fenced");
    std::thread::sleep(PAUSE.saturating_sub(paused.elapsed()));
    zombie.resume();
    let woken = Instant::now();
    wait_until("the zombie knows it", PATIENCE, || zombie.logged("membership lost") >= 1);
    wait_until("it is back", PATIENCE, || zombie.runs(2) && other.runs(2));
    let back = woken.elapsed();
    assert_ne!(zombie.status().map(|status| status["member"].clone()), member, "the old member id is void");
    wait_work(&zombie);
    wait_work(&other);
    // Caught in a transaction, as asserted; whether the heir ends it or its timeout does first is a matter of milliseconds.
    eprintln!("{name}: {ended} producers fenced by the heir, back after {} ms", back.as_millis());
    finish(&world, load, &mut [&mut zombie, &mut other], &["zombie", "other"]);
}

#[test]
fn a_paused_dynamic_member_comes_back_as_another() {
    back_from_the_dead("zombie-dynamic", &[DYNAMIC]);
}

#[test]
fn a_paused_static_member_comes_back_as_another() {
    back_from_the_dead("zombie-static", &[]);
}

/// A static member that was paused in a transaction, replaced by another process of its name meanwhile, and woken.
struct Replaced {
    world: World,
    load: Load,
    zombie: Node,
    successor: Node,
}

impl Replaced {
    fn wake(name: &str, of_zombie: &[(&str, &str)]) -> Self {
        let world = World::with(name, &[TRANSACTION_TIMEOUT]);
        let same = ("MILLPOND_INSTANCE__ID", "same");
        let mut zombie = Node::start(&world, "zombie", &[&[ONE_THREAD, SLOW, same], of_zombie].concat());
        zombie.wait_ready(PATIENCE);
        let load = Load::start(&world, RATE, &[]);
        wait_until("it works", PATIENCE, || zombie.committed() > 500);
        pause_in_a_transaction(&world, &zombie);
        let paused = Instant::now();
        // Another directory, as on another host.
        let successor = Node::start(&world, "successor", &[ONE_THREAD, same]);
        wait_until("the successor has all tasks", PATIENCE, || successor.runs(4));
        wait_work(&successor);
        std::thread::sleep(PAUSE.saturating_sub(paused.elapsed()));
        zombie.resume();
        Self { world, load, zombie, successor }
    }
}

#[test]
fn a_paused_static_member_that_was_replaced_ends_and_says_why() {
    let Replaced { world, load, mut zombie, mut successor } = Replaced::wake("zombie-replaced", &[]);
    let status = zombie.wait_end(PATIENCE);
    let log = zombie.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("another live process uses this instance id"), "no reason:\n{log}");
    assert!(log.contains("give every process an `instance.id`"), "no cure:\n{log}");
    wait_work(&successor);
    assert!(successor.is_alive(), "{}", successor.log());
    assert_eq!(successor.logged(FENCED), 0, "fenced by the zombie:\n{}", successor.log());
    finish(&world, load, &mut [&mut successor], &["zombie", "successor"]);
}

#[test]
fn control_a_replaced_member_that_renews_its_producer_fences_its_successor() {
    // It asks the group so seldom that no question is due when it wakes: it hears from its producer first.
    let seldom = [
        ("MILLPOND_MEMBERSHIP__SESSION_TIMEOUT", "180s"),
        ("MILLPOND_MEMBERSHIP__HEARTBEAT_INTERVAL", "60s"),
        ("MILLPOND_MUTANT", "replaced-unconfirmed"),
    ];
    let Replaced { world: _world, load: _load, mut zombie, mut successor } =
        Replaced::wake("zombie-unconfirmed", &seldom);
    zombie.wait_end(PATIENCE);
    wait_until("the successor finds its producer fenced, or ends", PATIENCE, || {
        successor.logged(FENCED) > 0 || !successor.is_alive()
    });
}
