//! A wrong clock of the host: an hour is nothing, also when it jumps during the run; more than a day has known effects.

use std::fs;

use super::{PATIENCE, SETTINGS, finish, load, settled, started};
use crate::support::kafka::read;
use crate::support::{Verdict, World, wait_drained};

const HOUR_MS: i64 = 3_600_000;

/// The failpoint that makes the clock wrong by `first`, and by `then` from `from_ms` of the run on.
fn wrong(first_ms: i64, from_ms: i64, then_ms: i64) -> String {
    format!("clock::wall=return({first_ms},{from_ms},{then_ms})")
}

/// Returns the databases that were set aside by a rebuild.
fn set_aside(world: &World) -> usize {
    let root = world.state("one").join(&world.app);
    let tasks = fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display())).flatten();
    let databases = tasks.filter_map(|task| fs::read_dir(task.path()).ok()).flat_map(Iterator::flatten);
    databases.filter(|file| file.file_name().to_string_lossy().contains(".aside-")).count()
}

#[test]
fn a_clock_that_is_an_hour_off_and_jumps_changes_nothing() {
    let world = World::with("hour", &SETTINGS);
    for (run, (first, then)) in [(HOUR_MS, -HOUR_MS), (-HOUR_MS, HOUR_MS)].into_iter().enumerate() {
        let failpoint = wrong(first, 3_000, then);
        let node =
            started(&world, &[("FAILPOINTS", &failpoint), ("MILLPOND_STATE__FLUSH_INTERVAL", "500ms")]);
        assert!(node.log().contains("wrong clock on purpose"), "the run is void:\n{}", node.log());
        let seed = (run + 1).to_string();
        let load = ["--users", "200", "--orders", "12000", "--rate", "3000", "--bad", "0", "--seed", &seed];
        world.load(&load);
        finish(&world, node);
    }
    // And the right time again.
    let node = started(&world, &[]);
    load(&world, 100, 9);
    finish(&world, node);
    assert_eq!(set_aside(&world), 0, "a store was rebuilt");
    assert_eq!(read(&world, &world.topic("deadletter.events")).len(), 0);
    Verdict::of(&world, "one").assert_clean();
}

/// A store that was flushed longer ago than half of what tombstones are kept for is rebuilt: slow, and right.
#[test]
fn a_clock_a_day_ahead_rebuilds_the_stores_and_stays_exact() {
    let world = settled("ahead");
    let failpoint = wrong(25 * HOUR_MS, 0, 25 * HOUR_MS);
    let node = started(&world, &[("FAILPOINTS", &failpoint)]);
    assert_eq!(set_aside(&world), 2, "one per task");
    load(&world, 100, 3);
    finish(&world, node);
    assert_eq!(read(&world, &world.topic("deadletter.events")).len(), 0);
    Verdict::of(&world, "one").assert_clean();
}

/// Every record is then more than 24 hours ahead of the host: it becomes a dead letter and changes no balance.
#[test]
fn a_clock_a_day_behind_makes_dead_letters_of_everything_and_touches_no_balance() {
    let world = settled("behind");
    let before = balances(&world);
    let events = read(&world, &world.topic("account.events")).len();
    let failpoint = wrong(-25 * HOUR_MS, 0, -25 * HOUR_MS);
    let node = started(&world, &[("FAILPOINTS", &failpoint)]);
    load(&world, 100, 3);
    finish(&world, node);
    let letters = read(&world, &world.topic("deadletter.events"));
    assert!(letters.len() >= 100, "{} dead letters", letters.len());
    for letter in &letters {
        assert_eq!(letter.header("x-dlq-error-code").as_deref(), Some("INVALID_TIMESTAMP"));
    }
    assert_eq!(balances(&world), before);
    assert_eq!(read(&world, &world.topic("account.events")).len(), events);
    let node = started(&world, &[]);
    wait_drained(&world, PATIENCE);
    finish(&world, node);
    let verdict = Verdict::of(&world, "one");
    eprintln!("a day behind: {:?}\n{}", verdict.failed(), verdict.text);
}

fn balances(world: &World) -> String {
    world.sql("SELECT user_id, balance_fen, account_version FROM accounts ORDER BY user_id")
}
