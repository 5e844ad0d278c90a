//! A load with every kind of input: outputs, changelog, store and PostgreSQL exact; a restart changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::support::kafka::{Row, append, read};
use crate::support::{Node, REPLAY_AFTER_CLEAN_STOP_MAX, World, wait_drained};

/// What must come out of both topics, or the run proves less than it says: every event with every reason of
/// `docs/validation.md`, section 6, every code of section 5.
const RESULTS: &[&str] = &[
    "AccountClosed",
    "AccountCredited",
    "AccountDebited by a withdrawal",
    "AccountDebited by an order",
    "AccountFrozen",
    "AccountOpened",
    "AccountRefunded by a cancellation",
    "AccountRefunded by a refund",
    "AccountUnfrozen",
    "CommandRejected ACCOUNT_CLOSED",
    "CommandRejected ACCOUNT_EXISTS",
    "CommandRejected ACCOUNT_FROZEN",
    "CommandRejected ACCOUNT_NOT_FOUND",
    "CommandRejected BALANCE_NOT_ZERO",
    "CommandRejected CURRENCY_MISMATCH",
    "CommandRejected INSUFFICIENT_BALANCE",
    "CommandRejected ORDER_NOT_DEBITED",
    "CommandRejected REFUND_EXCEEDS_DEBIT",
    "DebitFailed ACCOUNT_CLOSED",
    "DebitFailed ACCOUNT_FROZEN",
    "DebitFailed ACCOUNT_NOT_FOUND",
    "DebitFailed CURRENCY_MISMATCH",
    "DebitFailed INSUFFICIENT_BALANCE",
    "DebitFailed ORDER_CANCELLED",
    "dead letter AMOUNT_OUT_OF_RANGE",
    "dead letter ARITHMETIC",
    "dead letter BAD_FIELD",
    "dead letter DUPLICATE_FIELD",
    "dead letter INVALID_TIMESTAMP",
    "dead letter KEY_MISMATCH",
    "dead letter MISSING_FIELD",
    "dead letter MISSING_KEY",
    "dead letter NOT_AN_OBJECT",
    "dead letter NOT_JSON",
    "dead letter NULL_VALUE",
    "dead letter ORDER_CONFLICT",
    "dead letter TOO_LARGE",
    "dead letter UNKNOWN_EVENT_TYPE",
    "dead letter WRONG_PARTITION",
];

/// A user whom no load knows.
const RICH: u64 = 4_000_000_000;
/// The greatest deposits that fit into 64 bits, and one.
const DEPOSITS: u64 = 9_224;

/// Fills an account until the last deposit would leave 64 bits.
fn overfill(world: &World) {
    let key = RICH.to_string().into_bytes();
    let partition = i32::try_from(millpond_topology::partition_for(&key, 4)).unwrap_or(0);
    let deposit = |at: u64| {
        let value = format!(
            r#"{{"eventType":"DepositFunds","eventId":"rich-{at}","occurredAt":"2026-01-01T00:00:00Z","payload":{{"userId":{RICH},"amountFen":1000000000000000,"reference":"rich-{at}"}}}}"#
        );
        Row { partition, key: key.clone(), value: Some(value.into_bytes()), ..Row::default() }
    };
    append(world, &world.topic("account.commands"), &(0..DEPOSITS).map(deposit).collect::<Vec<_>>());
}

/// Returns what came out, named as in [`RESULTS`].
fn results(world: &World) -> BTreeSet<String> {
    let event = |row: &Row| -> Value {
        let value = row.value.as_deref().unwrap_or_default();
        serde_json::from_slice(value).unwrap_or_else(|error| panic!("{error}: {row:?}"))
    };
    let named = |row: &Row| {
        let event = event(row);
        let (name, payload) = (event["eventType"].as_str().unwrap_or_default(), &event["payload"]);
        match (name, payload["reason"].as_str()) {
            ("AccountDebited", _) if payload["orderId"].is_u64() => "AccountDebited by an order".to_owned(),
            ("AccountDebited", _) => "AccountDebited by a withdrawal".to_owned(),
            ("AccountRefunded", _) if payload["refundId"].is_null() => {
                "AccountRefunded by a cancellation".to_owned()
            }
            ("AccountRefunded", _) => "AccountRefunded by a refund".to_owned(),
            ("CommandRejected" | "DebitFailed", reason) => format!("{name} {}", reason.unwrap_or_default()),
            // A freeze carries the operator's own words.
            _ => name.to_owned(),
        }
    };
    let letters = read(world, &world.topic("deadletter.events"));
    let codes = letters
        .iter()
        .map(|row| format!("dead letter {}", row.header("x-dlq-error-code").unwrap_or_default()));
    read(world, &world.topic("account.events")).iter().map(named).chain(codes).collect()
}

#[test]
fn every_kind_of_input_is_exact_everywhere() {
    let world = World::new("exact");
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    let load = ["--users", "500", "--orders", "20000", "--rate", "0", "--bad", "0.05", "--others", "0.3"];
    world.load(&[&load[..], &["--seed", "11"]].concat());
    overfill(&world);
    wait_drained(&world, &node, Duration::from_secs(60));
    assert!(node.metric("millpond_debits_total") > 10_000.0);
    assert!(node.metric("millpond_duplicates_total") > 0.0);
    assert_eq!(node.get("/livez").map(|(code, _)| code), Some(200));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
    let found = results(&world);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, RESULTS, "something never happened: the run is void");
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    let replayed = again.metric("millpond_restore_records_total");
    assert!(replayed <= REPLAY_AFTER_CLEAN_STOP_MAX, "{replayed} rows replayed after a clean stop");
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    world.verify(&["one"]);
}
