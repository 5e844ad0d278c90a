//! Clean stop under load, and clear ends when something is wrong.

use std::time::{Duration, Instant};

use crate::support::{Ends, Node, REPLAY_AFTER_CLEAN_STOP_MAX, World, wait_drained, wait_until};

#[test]
fn sigterm_under_load_leaves_nothing_open_and_nothing_to_replay() {
    let world = World::new("sigterm");
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    let mut load =
        world.start_load(&["--users", "200", "--orders", "40000", "--rate", "5000", "--seed", "5"]);
    wait_until("work is under way", Duration::from_secs(30), || node.committed() > 5000);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert!(!Ends::of(&world, &world.changelog()).is_open(), "a transaction is left open");
    assert!(!Ends::of(&world, &world.topic("account.events")).is_open(), "a transaction is left open");
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    let replayed = again.metric("millpond_restore_records_total");
    assert!(replayed <= REPLAY_AFTER_CLEAN_STOP_MAX, "{replayed} rows replayed after a clean stop");
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    world.verify(&["one"]);
}

#[test]
fn sigterm_in_a_long_rebalance_ends_cleanly_although_no_producer_may_be_replaced() {
    let wait = Duration::from_secs(30);
    let world = World::new("sigterm-rebalance");
    // The group waits for its next JoinGroup longer than for the other's: it is killed and does not come back.
    let mut silent = Node::start(&world, "silent", &[("MILLPOND_MEMBERSHIP__SESSION_TIMEOUT", "25s")]);
    silent.wait_ready(wait);
    // Some transactions are aborted, after which the producer is replaced.
    let mut node = Node::start(
        &world,
        "one",
        &[("FAILPOINTS", "txn::after_produce=20%return"), ("MILLPOND_THREADS", "1")],
    );
    wait_until("each has two tasks", wait, || silent.runs(2) && node.runs(2));
    let mut load =
        world.start_load(&["--users", "200", "--orders", "60000", "--rate", "1000", "--seed", "5"]);
    wait_until("work is under way", wait, || node.committed() > 500);
    silent.kill();
    // A newcomer makes everybody join again.
    let mut newcomer = Node::start(&world, "two", &[]);
    let count = || (node.logged("producer is replaced"), node.logged("producer runs"));
    wait_until("the thread waits for its membership to be confirmed", wait, || {
        let (replaced, runs) = count();
        std::thread::sleep(Duration::from_secs(1));
        replaced == runs && count() == (replaced, runs)
    });
    let begun = Instant::now();
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert!(begun.elapsed() < Duration::from_secs(10), "stopped after {:?}", begun.elapsed());
    assert!(load.kill().is_ok() && load.wait().is_ok(), "load");
    newcomer.wait_ready(Duration::from_secs(90));
    wait_drained(&world, Duration::from_secs(90));
    assert_eq!(newcomer.stop().code(), Some(0), "{}", newcomer.log());
    world.verify(&["two", "one", "silent"]);
}

#[test]
fn a_second_process_on_the_same_state_directory_is_refused_with_the_owner_named() {
    let world = World::new("twice");
    let mut first = Node::start(&world, "one", &[]);
    first.wait_ready(Duration::from_secs(30));
    let mut second = Node::start(&world, "one", &[]);
    let status = second.wait_end(Duration::from_secs(30));
    assert!(!status.success());
    assert!(second.log().contains("is in use by process"), "the owner is not named:\n{}", second.log());
    assert!(first.is_alive());
    assert_eq!(first.stop().code(), Some(0), "{}", first.log());
}
