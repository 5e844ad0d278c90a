//! Two processes in one group: they share the partitions, and one takes over when the other is killed.

use std::time::{Duration, Instant};

use crate::support::{Node, Rate, World, keep_figure, wait_drained, wait_until};

/// Session timeout of a member plus the time the issue allows for the rest.
const TAKE_OVER_MAX: Duration = Duration::from_secs(6 + 15);
/// Orders per second that must have come meanwhile, else the run proves less than it says.
const RATE_MIN: i64 = 5000;

#[test]
fn two_processes_share_the_partitions_and_the_survivor_takes_over() {
    let world = World::new("pair");
    let mut one = Node::start(&world, "one", &[]);
    one.wait_ready(Duration::from_secs(30));
    let mut two = Node::start(&world, "two", &[]);
    two.wait_ready(Duration::from_secs(30));
    wait_until("each has two tasks", Duration::from_secs(30), || one.tasks() == 2 && two.tasks() == 2);
    let mut load =
        world.start_load(&["--users", "1000", "--orders", "3000000", "--rate", "6000", "--seed", "7"]);
    wait_until("both work", Duration::from_secs(30), || one.committed() > 2000 && two.committed() > 2000);
    let rate = Rate::of(&world, &world.topic("order.events"));
    two.kill();
    let killed = Instant::now();
    wait_until("the survivor has all tasks", TAKE_OVER_MAX, || one.tasks() == 4);
    wait_until("all of them run", TAKE_OVER_MAX.saturating_sub(killed.elapsed()), || {
        one.get("/readyz").is_some_and(|(code, _)| code == 200)
    });
    let (taken_over, rate) = (killed.elapsed(), rate.per_second(&world));
    assert!(rate >= RATE_MIN, "only {rate} orders/s during the take-over: the run is void");
    keep_figure(
        "failover",
        &format!("taken over {} ms after the kill, at {rate} orders/s", taken_over.as_millis()),
    );
    // The load outlasts any machine; what it has written by now is judged.
    assert!(load.kill().is_ok(), "load");
    let _ = load.wait();
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(one.stop().code(), Some(0), "{}", one.log());
    world.verify(&["one", "two"]);
}

#[test]
fn a_process_that_joins_and_leaves_under_load_changes_nothing() {
    let world = World::new("join");
    let mut one = Node::start(&world, "one", &[]);
    one.wait_ready(Duration::from_secs(30));
    let mut load =
        world.start_load(&["--users", "300", "--orders", "60000", "--rate", "5000", "--seed", "9"]);
    for round in 0..3 {
        let mut guest = Node::start(&world, "guest", &[("MILLPOND_MEMBERSHIP__LEAVE", "always")]);
        wait_until("the guest has tasks", Duration::from_secs(30), || guest.tasks() == 2);
        guest.wait_ready(Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(guest.stop().code(), Some(0), "round {round}: {}", guest.log());
        wait_until("all tasks are back", Duration::from_secs(30), || one.tasks() == 4);
    }
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(one.stop().code(), Some(0), "{}", one.log());
    world.verify(&["one", "guest"]);
}
