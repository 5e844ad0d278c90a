//! A load with every kind of input: outputs, changelog, store and PostgreSQL exact; a restart changes nothing.

use std::time::Duration;

use crate::support::{Node, REPLAY_AFTER_CLEAN_STOP_MAX, World, wait_drained};

#[test]
fn every_kind_of_input_is_exact_everywhere() {
    let world = World::new("exact");
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    let load = ["--users", "500", "--orders", "20000", "--rate", "0", "--bad", "0.05", "--others", "0.1"];
    world.load(&[&load[..], &["--seed", "11"]].concat());
    wait_drained(&world, Duration::from_secs(60));
    assert!(node.metric("millpond_dlq_records_total") > 0.0);
    assert!(node.metric("millpond_debits_total") > 10_000.0);
    assert!(node.metric("millpond_duplicates_total") > 0.0);
    assert_eq!(node.get("/livez").map(|(code, _)| code), Some(200));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    let replayed = again.metric("millpond_restore_records_total");
    assert!(replayed <= REPLAY_AFTER_CLEAN_STOP_MAX, "{replayed} rows replayed after a clean stop");
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    world.verify(&["one"]);
}
