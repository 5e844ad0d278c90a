//! `millpond verify` on a real run's data: nothing wrong ends with 0; one thing wrong in one place ends with 3 and a line
//! that says what and where.

use std::time::Duration;

use millpond_state::{Identity, Reader, Shared, Store};
use millpond_topology::StateReader;

use crate::support::kafka::{Row, append, read};
use crate::support::{Node, Verdict, World, wait_drained};

/// A user that the load funds and orders for.
const USER: u64 = 7;
/// Store id of the accounts, as the first two bytes of a key in changelog and RocksDB.
const ACCOUNTS: [u8; 2] = [0, 1];

fn account_key() -> Vec<u8> {
    [&ACCOUNTS[..], &USER.to_be_bytes()].concat()
}

/// Runs a load to its end; the untouched world must pass.
fn drained(name: &str) -> World {
    let world = World::new(name);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    world.load(&["--users", "40", "--orders", "1500", "--rate", "0", "--seed", "17"]);
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    Verdict::of(&world, "one").assert_clean();
    world
}

/// Returns the value of an account with 1 fen more on it, and both balances.
fn one_fen_more(value: &[u8]) -> (Vec<u8>, i64, i64) {
    let mut balance = [0; 8];
    balance.copy_from_slice(&value[1..9]);
    let before = i64::from_le_bytes(balance);
    let mut changed = value.to_vec();
    changed[1..9].copy_from_slice(&(before + 1).to_le_bytes());
    (changed, before, before + 1)
}

#[test]
fn a_changed_account_row_is_named() {
    let world = drained("row");
    let balance: i64 = world
        .sql(&format!("SELECT balance_fen FROM accounts WHERE user_id = {USER}"))
        .parse()
        .unwrap_or_else(|error| panic!("balance: {error}"));
    let change = |by: i64| {
        world.sql(&format!(
            "UPDATE accounts SET balance_fen = balance_fen + {by}, total_credited_fen = total_credited_fen + {by} \
             WHERE user_id = {USER}"
        ))
    };
    change(1);
    let verdict = Verdict::of(&world, "one");
    let (user, found) = (format!("user: {USER}"), format!("balance: {}", balance + 1));
    let expected = format!("balance: {balance}");
    verdict.assert_names("postgres", &["PostgreSQL accounts", &user, &found, &expected]);
    assert_eq!(verdict.failed(), ["postgres"], "{}", verdict.text);
    change(-1);
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn a_changed_row_of_the_append_only_history_is_named() {
    let world = drained("history");
    let at = world.sql(&format!(
        "SELECT partition || ' ' || \"offset\" || ' ' || delta_fen FROM balance_changes \
         WHERE user_id = {USER} AND kind = 'AccountDebited' ORDER BY account_version LIMIT 1"
    ));
    let at: Vec<i64> = at.split(' ').filter_map(|number| number.parse().ok()).collect();
    let (partition, offset, delta) = (at[0], at[1], at[2]);
    let place = format!("partition = {partition} AND \"offset\" = {offset}");
    world.sql(&format!(
        "ALTER TABLE balance_changes DISABLE TRIGGER ALL; \
         UPDATE balance_changes SET delta_fen = delta_fen - 1 WHERE {place}; \
         ALTER TABLE balance_changes ENABLE TRIGGER ALL"
    ));
    let verdict = Verdict::of(&world, "one");
    let (place, found) = (format!("({partition}, {offset})"), format!("delta: {}", delta - 1));
    let expected = format!("delta: {delta}");
    verdict.assert_names("postgres", &["PostgreSQL balance_changes", &place, &found, &expected]);
    assert_eq!(verdict.failed(), ["postgres"], "{}", verdict.text);
}

/// Opens the store that holds the account and hands over its value; writes what comes back.
fn with_store(world: &World, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    let topics = millpond_ledger::Topics {
        orders: world.topic("order.events"),
        commands: world.topic("account.commands"),
        accounts: world.topic("account.events"),
        deadletter: world.topic("deadletter.events"),
    };
    let topology = millpond_ledger::topology(&world.app, &topics).unwrap_or_else(|e| panic!("{e}"));
    let sub = &topology.sub_topologies()[0];
    let partition = millpond_topology::partition_for(USER.to_string().as_bytes(), 4);
    let identity = Identity::of(&world.app, sub, partition, 4);
    let dir = world.state("one").join(&world.app).join(format!("0_{partition}"));
    let memory = Shared::new(16 << 20);
    let opened = Store::open(&dir, &identity, &memory).unwrap_or_else(|error| panic!("{error}"));
    let (mut store, mut value) = (opened.store, Vec::new());
    let (position, wall_ms) = (store.position(), store.metadata().written_wall_ms);
    let reader: Reader = store.reader();
    assert!(reader.get(&account_key(), &mut value).unwrap_or_else(|e| panic!("{e}")), "no account {USER}");
    drop(reader);
    let (key, value) = (account_key(), change(&value));
    let mut rows = std::iter::once((key.as_slice(), Some(value.as_slice())));
    store.restore(&mut rows, position, wall_ms).unwrap_or_else(|error| panic!("{error}"));
    store.close(wall_ms).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_changed_rocksdb_value_is_named() {
    let world = drained("value");
    let mut original = Vec::new();
    let (mut before, mut after) = (0, 0);
    with_store(&world, |value| {
        original = value.to_vec();
        let (changed, was, is) = one_fen_more(value);
        (before, after) = (was, is);
        changed
    });
    let verdict = Verdict::of(&world, "one");
    let (user, found) = (format!("accounts, user {USER}:"), format!("balance: {after}"));
    let expected = format!("balance: {before}");
    verdict.assert_names("stores", &["RocksDB ", &user, &found, &expected]);
    assert_eq!(verdict.failed(), ["stores"], "{}", verdict.text);
    with_store(&world, |_| original);
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn a_changed_changelog_record_is_named() {
    let world = drained("changelog");
    let rows = read(&world, &world.changelog());
    let last = rows.iter().rev().find(|row| row.key == account_key());
    let last = last.unwrap_or_else(|| panic!("no account {USER} in the changelog"));
    let (value, before, after) = one_fen_more(last.value.as_deref().unwrap_or_default());
    append(&world, &world.changelog(), &[Row { value: Some(value), ..last.clone() }]);
    let verdict = Verdict::of(&world, "one");
    let (user, found) = (format!("accounts, user {USER}"), format!("balance: {after}"));
    let expected = format!("balance: {before}");
    verdict.assert_names("balances", &[&world.changelog(), &user, &found, &expected]);
    verdict.assert_names("money", &[&world.changelog(), &format!("user {USER}"), &found, &expected]);
    let partition = format!("{}-{}@", world.changelog(), last.partition);
    verdict.assert_names("tallies", &[&partition, "1 records after the last marker"]);
}

#[test]
fn a_repeated_output_is_named() {
    let world = drained("twice");
    let topic = world.topic("account.events");
    let rows = read(&world, &topic);
    let key = USER.to_string().into_bytes();
    let last = rows.iter().rev().find(|row| row.key == key).unwrap_or_else(|| panic!("no output"));
    append(&world, &topic, std::slice::from_ref(last));
    let copy = read(&world, &topic).iter().rev().find(|row| row.key == key).map_or(0, |row| row.offset);
    assert!(copy > last.offset);
    let verdict = Verdict::of(&world, "one");
    let place = format!("{topic}-{}@{copy}", last.partition);
    verdict.assert_names("outputs", &[&place, "the same eventId"]);
}

#[test]
fn a_changed_output_is_named() {
    let world = drained("output");
    let topic = world.topic("account.events");
    let rows = read(&world, &topic);
    let key = USER.to_string().into_bytes();
    let last = rows.iter().rev().find(|row| row.key == key).unwrap_or_else(|| panic!("no output"));
    let text = String::from_utf8_lossy(last.value.as_deref().unwrap_or_default()).into_owned();
    let changed = text.replace("\"deltaFen\":-", "\"deltaFen\":-1");
    assert_ne!(text, changed, "the last output is no debit: {text}");
    append(&world, &topic, &[Row { value: Some(changed.into_bytes()), ..last.clone() }]);
    let verdict = Verdict::of(&world, "one");
    verdict.assert_names("money", &[&format!("{topic}-{}@", last.partition), &format!("user {USER}")]);
    verdict.assert_names("outputs", &[&format!("{topic}-{}@", last.partition), &format!("user {USER}")]);
}
