//! Memory stays within `state.memory_budget` and a fixed overhead, however many accounts there are.
//!
//! The overhead, with the settings below, is
//!
//! | what | MiB |
//! |---|---|
//! | program, libraries, threads' stacks and allocator arenas, three dozen threads | 40 |
//! | fetched: `fetch.queue_bytes` for each input partition (8), payload and librdkafka's own bytes of each message, and an allowance of half of that for what the last answer brings beyond it | 8 x (2 + 1) |
//! | records taken over but not processed: `fetch.queue_bytes` for each input partition, counted in the same way | 8 x 2 |
//! | one transaction of each of 2 threads: overlay, outputs, after-images, librdkafka's queue with a copy of them: 3 x `commit.bytes` | 2 x 3 x 8 |
//! | write buffers beyond their soft limit while a flush is under way, and compaction's buffers | 16 |
//!
//! Three of these are allowances, not sums: the program's, what an answer brings beyond the queue, and the last one. They were set
//! before they were measured and are not raised.

use std::fs;
use std::time::{Duration, Instant};

use super::{PATIENCE, folder, start};
use crate::support::{Node, World, group_lag, keep_figure, wait_drained, wait_until};

/// Accounts, unless `MILLPOND_TEST_ACCOUNTS` says otherwise.
const ACCOUNTS: u64 = 300_000;
/// The budget, and all that a process may use beyond it, MiB.
const BUDGET: u64 = 64;
const OVERHEAD: u64 = 40 + 24 + 16 + 48 + 16;

const SETTINGS: [(&str, &str); 5] = [
    ("MILLPOND_STATE__MEMORY_BUDGET", "64MiB"),
    ("MILLPOND_STATE__FLUSH_ROWS", "50000"),
    ("MILLPOND_FETCH__QUEUE_BYTES", "2MiB"),
    ("MILLPOND_COMMIT__BYTES", "8MiB"),
    ("MILLPOND_THREADS", "2"),
];

/// Returns a figure of a running process from `/proc`, MiB.
fn memory(world: &World, figure: &str) -> u64 {
    let owner = fs::read_to_string(folder(world).join("lock")).unwrap_or_else(|error| panic!("{error}"));
    let owner: serde_json::Value = serde_json::from_str(&owner).unwrap_or_default();
    let path = format!("/proc/{}/status", owner["pid"]);
    let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or_else(|| panic!("no {figure} in {status}")) / 1024
}

/// Opens and funds the accounts and writes orders, of which a few users give most; returns the time it took.
fn process(world: &World, node: &mut Node, accounts: u64) -> Duration {
    let begun = Instant::now();
    let (users, orders) = (accounts.to_string(), (accounts / 2).clamp(100_000, 2_000_000).to_string());
    let args = ["--users", &users, "--orders", &orders, "--rate", "0", "--zipf", "1.0", "--seed", "66"];
    let mut load = world.start_load(&args);
    let patience = PATIENCE + Duration::from_millis(accounts);
    wait_until("the load is written", patience, || {
        assert!(node.is_alive(), "the process ended:\n{}", node.log());
        load.try_wait().is_ok_and(|ended| ended.is_some())
    });
    wait_until("the input is processed", patience, || {
        assert!(node.is_alive(), "the process ended:\n{}", node.log());
        group_lag(world) == 0
    });
    let took = begun.elapsed();
    wait_drained(world, patience);
    took
}

#[test]
fn memory_stays_within_the_budget_and_a_fixed_overhead() {
    let asked = std::env::var("MILLPOND_TEST_ACCOUNTS").ok().and_then(|text| text.parse().ok());
    let accounts = asked.unwrap_or(ACCOUNTS);
    let world = World::with("memory", &SETTINGS);
    let mut node = start(&world, &[]);
    let idle = memory(&world, "VmRSS");
    let took = process(&world, &mut node, accounts);
    let (peak, now) = (memory(&world, "VmHWM"), memory(&world, "VmRSS"));
    let orders = node.committed();
    let rate = u128::from(orders.unsigned_abs()) * 1000 / took.as_millis().max(1);
    let line = format!(
        "{accounts} accounts with a budget of {BUDGET} MiB: {peak} MiB at most, {now} at the end, {idle} when idle; {orders} \
         input records in {took:.0?}, {rate}/s"
    );
    keep_figure("memory", &line);
    assert!(peak <= BUDGET + OVERHEAD, "{peak} MiB, {} are allowed: {line}", BUDGET + OVERHEAD);
    // A restore goes through the same memory.
    node.kill();
    std::fs::remove_dir_all(folder(&world)).unwrap_or_else(|error| panic!("{error}"));
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(PATIENCE + Duration::from_millis(accounts / 5));
    let restore = memory(&world, "VmHWM");
    keep_figure("memory-restore", &format!("{restore} MiB at most in a restore of {accounts} accounts"));
    assert!(restore <= BUDGET + OVERHEAD, "{restore} MiB in a restore");
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}
