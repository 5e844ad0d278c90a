//! A task is taken away and, before it is closed, given back: a second process joins and leaves at once, again and again.

use std::time::Duration;

use crate::support::{Node, World, wait_drained, wait_until};

const ROUNDS: usize = 8;
/// Rounds that must have handed a task back while it closed, else the run proves nothing; the host logs each.
const HITS_MIN: usize = 3;

#[test]
fn tasks_given_back_while_they_close_go_on() {
    let world = World::new("handback");
    // Every transaction takes a while, so that closing, which commits first, takes longer than a visit.
    let slow = [("FAILPOINTS", "txn::after_send_offsets=sleep(1500)")];
    let mut host = Node::start(&world, "host", &slow);
    host.wait_ready(Duration::from_secs(30));
    let mut load =
        world.start_load(&["--users", "500", "--orders", "150000", "--rate", "4000", "--seed", "61"]);
    wait_until("work is under way", Duration::from_secs(30), || host.committed() > 2000);
    let given_back = |host: &Node| host.log().matches("task is given back while it closes").count();
    let mut hits = 0;
    for round in 0..ROUNDS {
        let known = given_back(&host);
        let leaves = [("MILLPOND_MEMBERSHIP__LEAVE", "always")];
        let mut guest = Node::start(&world, "guest", &leaves);
        let in_group = |node: &Node| node.status().is_some_and(|status| status["generation"].is_i64());
        wait_until("the guest is in the group", Duration::from_secs(30), || in_group(&guest));
        assert_eq!(guest.stop().code(), Some(0), "round {round}: {}", guest.log());
        wait_until("all tasks are back", Duration::from_secs(30), || {
            host.tasks() == 4 && host.get("/readyz").is_some_and(|(code, _)| code == 200)
        });
        let before = host.committed();
        wait_until("work goes on", Duration::from_secs(30), || host.committed() > before);
        hits += usize::from(given_back(&host) > known);
    }
    assert!(load.kill().is_ok(), "load");
    let _ = load.wait();
    eprintln!("{hits} of {ROUNDS} rounds gave tasks back while they closed");
    assert!(hits >= HITS_MIN, "only {hits} of {ROUNDS} rounds hit: the run is void");
    wait_drained(&world, Duration::from_secs(120));
    assert_eq!(host.stop().code(), Some(0), "{}", host.log());
    world.verify(&["host"]);
}
