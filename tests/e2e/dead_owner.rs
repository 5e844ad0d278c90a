//! An instance dies in the middle of a transaction; another one takes over without waiting for its timeout.

use std::time::{Duration, Instant};

use crate::support::{Ends, Node, World, wait_drained, wait_until};

/// How long the broker would keep the dead instance's transaction open.
const TRANSACTION_TIMEOUT: &str = "90s";
/// Session timeout of a member plus what fencing and restoring may take: far below `TRANSACTION_TIMEOUT`.
const READY_MAX: Duration = Duration::from_secs(6 + 15);

/// Kills `victim` between sending its offsets and its commit; returns when.
fn die_in_a_transaction(world: &World) -> Instant {
    let crash = [("FAILPOINTS", "txn::after_send_offsets=8*off->panic")];
    let mut victim = Node::start(world, "victim", &crash);
    victim.wait_ready(Duration::from_secs(30));
    let owned: Vec<usize> =
        victim.stores("restoredFrom").keys().filter_map(|id| id.split_once('_')?.1.parse().ok()).collect();
    let mut load =
        world.start_load(&["--users", "300", "--orders", "40000", "--rate", "5000", "--seed", "51"]);
    let status = victim.wait_end(Duration::from_secs(60));
    let died = Instant::now();
    assert!(!status.success() && victim.log().contains("failpoint txn::after_send_offsets"));
    let open = Ends::of(world, &world.changelog()).open();
    assert!(
        open.iter().any(|partition| owned.contains(partition)),
        "{open:?} of {owned:?} are open: nothing is proven"
    );
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
    died
}

#[test]
fn a_newcomer_fences_the_dead_owner_of_an_open_transaction() {
    let world = World::with("newcomer", &[("MILLPOND_TRANSACTION__TIMEOUT", TRANSACTION_TIMEOUT)]);
    let died = die_in_a_transaction(&world);
    assert!(Ends::of(&world, &world.changelog()).is_open(), "the transaction ended by itself");
    let begun = Instant::now();
    let mut heir = Node::start(&world, "heir", &[]);
    heir.wait_ready(READY_MAX);
    eprintln!(
        "ready {} ms after its start, {} ms after the death",
        begun.elapsed().as_millis(),
        died.elapsed().as_millis()
    );
    assert!(heir.log().contains("dead producer fenced"), "nobody was fenced:\n{}", heir.log());
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(heir.stop().code(), Some(0), "{}", heir.log());
    world.verify(&["heir"]);
}

#[test]
fn a_survivor_fences_the_dead_owner_of_an_open_transaction() {
    let world = World::with("survivor", &[("MILLPOND_TRANSACTION__TIMEOUT", TRANSACTION_TIMEOUT)]);
    let mut heir = Node::start(&world, "heir", &[]);
    heir.wait_ready(Duration::from_secs(30));
    let died = die_in_a_transaction(&world);
    wait_until("the survivor has all tasks", READY_MAX, || heir.tasks() == 4);
    heir.wait_ready(READY_MAX.saturating_sub(died.elapsed()));
    eprintln!("ready {} ms after the death", died.elapsed().as_millis());
    assert!(heir.log().contains("dead producer fenced"), "nobody was fenced:\n{}", heir.log());
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(heir.stop().code(), Some(0), "{}", heir.log());
    world.verify(&["heir"]);
}
