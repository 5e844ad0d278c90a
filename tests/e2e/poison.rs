//! Refusals that a person decided: `on_poison = stop`, and a first start on an input whose beginning is gone.

use std::time::Duration;

use crate::support::kafka::{Row, append, delete_below, read};
use crate::support::{Node, Verdict, World, committed_offset, group_lag, wait_drained, wait_until};
use rdkafka::Offset;

#[test]
fn on_poison_stop_ends_before_the_record_and_the_default_goes_on() {
    let world = World::new("poison");
    let orders = world.topic("order.events");
    let mut node = Node::start(&world, "one", &[("MILLPOND_ON_POISON__ORDERS", "stop")]);
    node.wait_ready(Duration::from_secs(30));
    let load = ["--users", "40", "--orders", "500", "--rate", "0", "--bad", "0", "--seed", "41"];
    world.load(&load);
    wait_until("the good part is done", Duration::from_secs(30), || group_lag(&world) == 0);
    let bad = Row { key: b"7".to_vec(), value: Some(b"no JSON".to_vec()), ..Row::default() };
    append(&world, &orders, std::slice::from_ref(&bad));
    let status = node.wait_end(Duration::from_secs(30));
    assert_eq!(status.code(), Some(1), "{}", node.log());
    let offset = read(&world, &orders).iter().find(|row| row.value == bad.value).map_or(-1, |row| row.offset);
    let (place, log) = (format!("{orders}-0@{offset}"), node.log());
    assert!(log.contains(&place) && log.contains("NOT_JSON"), "{place} is not named:\n{log}");
    assert!(committed_offset(&world, &orders, 0) <= offset, "committed past the record");
    assert_eq!(read(&world, &world.topic("deadletter.events")).len(), 0);
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    wait_drained(&world, Duration::from_secs(30));
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    let letters = read(&world, &world.topic("deadletter.events"));
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("x-dlq-error-code").as_deref(), Some("NOT_JSON"));
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn a_trimmed_input_is_refused_at_the_first_start_unless_allowed() {
    /// Records that are gone from each partition.
    const GONE: i64 = 20;
    let world = World::new("trimmed");
    let orders = world.topic("order.events");
    world.load(&["--users", "40", "--orders", "1000", "--rate", "0", "--seed", "42"]);
    delete_below(&world, &orders, Offset::Offset(GONE));
    let mut refused = Node::start(&world, "one", &[]);
    let status = refused.wait_end(Duration::from_secs(30));
    assert_eq!(status.code(), Some(1), "{}", refused.log());
    let log = refused.log();
    assert!(log.contains(&format!("begins at offset {GONE}")), "{log}");
    assert!(log.contains("start.trimmed_input=allow"), "no cure:\n{log}");
    assert_eq!(read(&world, &world.topic("account.events")).len(), 0, "something was processed");
    let mut allowed = Node::start(&world, "one", &[("MILLPOND_START__TRIMMED_INPUT", "allow")]);
    allowed.wait_ready(Duration::from_secs(30));
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(allowed.stop().code(), Some(0), "{}", allowed.log());
    // Started once, it needs no permission any more.
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    let verdict = Verdict::of(&world, "one");
    assert_eq!(verdict.failed(), Vec::<&str>::new(), "{}", verdict.text);
    assert_eq!(
        verdict.not_checkable,
        ["outcomes", "outputs", "balances", "dead-letters"],
        "{}",
        verdict.text
    );
}
