//! The commit gate: offsets wait while a JoinGroup is out, so that a rebalance that moves nothing aborts nothing; what is
//! refused for an old generation all the same is redone from memory.

use std::time::Duration;

use super::puppet::Puppet;
use super::{Load, PATIENCE, finish, wait_work};
use crate::support::{Node, Random, World, keep_figure, wait_until};

/// Rebalances unless `MILLPOND_TEST_REBALANCES` says otherwise.
const REBALANCES: i64 = 100;
/// Transactions per rebalance that there must have been, else nothing was at stake.
const TRANSACTIONS_MIN: i64 = 3;
/// Many small transactions, and heartbeats that hear of a rebalance early.
const SETTINGS: [(&str, &str); 2] =
    [("MILLPOND_COMMIT__INTERVAL", "10ms"), ("MILLPOND_MEMBERSHIP__HEARTBEAT_INTERVAL", "100ms")];

/// What rebalances did to transactions.
struct Seen {
    rebalances: i64,
    committed: i64,
    /// Offsets refused with ILLEGAL_GENERATION.
    refused: i64,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rebalances, committed, refused } = self;
        write!(
            f,
            "{refused} transactions refused and redone, {committed} committed in {rebalances} rebalances"
        )
    }
}

/// Returns how many transactions were refused for an old generation.
fn refused(host: &Node) -> i64 {
    let log = host.log();
    let is_refused = |line: &&str| line.contains("send_offsets") && line.contains("(22)");
    i64::try_from(log.lines().filter(is_refused).count()).unwrap_or(i64::MAX)
}

fn wait_transactions(host: &Node, committed: i64) {
    wait_until("transactions are committed", PATIENCE, || host.transactions("committed") >= committed);
}

fn rebalance(rebalances: i64) -> Seen {
    let world = World::with("gate", &SETTINGS);
    let mut host = Node::start(&world, "host", &[]);
    host.wait_ready(PATIENCE);
    let restored = host.logged("\"restored\"");
    let load = Load::start(&world, 1000, &["--duplicates", "0", "--others", "0"]);
    wait_until("work is under way", PATIENCE, || host.committed() > 500);
    let (puppet, mut random) = (Puppet::new(&world), Random(500));
    let generation = || host.generation().unwrap_or(0);
    let (first, before) = (generation(), host.transactions("committed"));
    while generation() - first < rebalances {
        let seated = |_| std::thread::sleep(Duration::from_millis(random.between(0, 60)));
        puppet.visit(seated);
        std::thread::sleep(Duration::from_millis(random.between(0, 150)));
        // On a busy machine a transaction takes longer than that.
        wait_transactions(&host, before + (generation() - first) * TRANSACTIONS_MIN);
    }
    wait_work(&host);
    let rebalances = generation() - first;
    // The last one may have begun after the last wait.
    wait_transactions(&host, before + rebalances * TRANSACTIONS_MIN);
    let committed = host.transactions("committed") - before;
    let seen = Seen { rebalances, committed, refused: refused(&host) };
    // Each abort is of a refused transaction; it is counted a moment after the refusal is logged.
    wait_until("every abort is of a refusal", PATIENCE, || host.transactions("aborted") == refused(&host));
    // From memory: nothing was restored again, nothing was dropped, nothing was seen twice.
    assert_eq!(host.logged("\"restored\""), restored, "a task was restored again:\n{}", host.log());
    assert_eq!(host.logged("task closed"), 0, "a task was given up");
    assert_eq!(host.logged("membership lost"), 0, "{}", host.log());
    assert!(host.metric("millpond_duplicates_total").abs() < 0.5, "a redo was taken for a duplicate");
    finish(&world, load, &mut [&mut host], &["host"]);
    seen
}

#[test]
fn rebalances_that_move_nothing_are_redone_from_memory_and_lose_nothing() {
    let wanted = std::env::var("MILLPOND_TEST_REBALANCES").ok().and_then(|text| text.parse().ok());
    let with = rebalance(wanted.unwrap_or(REBALANCES));
    // How much the gate spares depends on the machine: the control is the simulator's, which counts with and without.
    keep_figure("gate", &with.to_string());
}
