//! Random SIGKILLs under load: the oracle stays clean, only the unflushed tail is replayed.

use std::time::Duration;

use crate::support::{Ends, Node, Random, World, group_lag, wait_drained, wait_until};

/// Kills of the run.
const KILLS: u32 = 25;
/// Kills that must hit an open transaction or unflushed rows, else the run proves nothing.
const HITS_MIN: u32 = 20;
/// Rows after which a task flushes; small, so that kills fall on both sides of flushes.
const FLUSH_ROWS: u64 = 20_000;
/// Most rows of one transaction of a thread.
const TXN_ROWS: u64 = 50_000;
/// Tasks.
const TASKS: u64 = 4;

#[test]
fn twenty_five_random_kills_leave_everything_exact() {
    let seed = std::env::var("MILLPOND_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5eed);
    eprintln!("seed {seed}; repeat with MILLPOND_TEST_SEED={seed}");
    let mut random = Random(seed);
    let flush_rows = FLUSH_ROWS.to_string();
    let settings =
        [("MILLPOND_STATE__FLUSH_ROWS", flush_rows.as_str()), ("MILLPOND_STATE__FLUSH_INTERVAL", "2s")];
    let world = World::with("kills", &settings);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    let mut load =
        world.start_load(&["--users", "5000", "--orders", "3000000", "--rate", "6000", "--seed", "25"]);
    wait_until("work is under way", Duration::from_secs(30), || node.committed() > 10_000);
    // Every task has flushed once by then, so no restore has a reason to begin at the beginning.
    std::thread::sleep(Duration::from_secs(3));
    let (mut hits, mut open) = (0u32, 0u32);
    for kill in 1..=KILLS {
        let before = node.committed();
        wait_until("a first commit", Duration::from_secs(30), || node.committed() > before);
        std::thread::sleep(Duration::from_millis(random.between(300, 3000)));
        node.kill();
        let is_open = [world.changelog(), world.topic("account.events")]
            .iter()
            .any(|topic| Ends::of(&world, topic).is_open());
        assert!(group_lag(&world) > 0, "kill {kill} came after the input was drained: the run is void");
        node = Node::start(&world, "one", &[]);
        node.wait_ready(Duration::from_secs(30));
        let replayed = node.metric("millpond_restore_records_total");
        let bound = (TASKS * FLUSH_ROWS + 2 * TXN_ROWS) as f64;
        assert!(replayed <= bound, "kill {kill}: {replayed} rows replayed, at most {bound} can be unflushed");
        assert!(!node.log().contains("\"from\":0,"), "kill {kill}: from the beginning:\n{}", restores(&node));
        open += u32::from(is_open);
        hits += u32::from(is_open || replayed > 0.0);
    }
    eprintln!("{hits} of {KILLS} kills hit an open transaction ({open}) or unflushed rows");
    assert!(hits >= HITS_MIN, "only {hits} of {KILLS} kills hit something: the run is void");
    // The load outlasts any machine; what it has written by now is judged.
    assert!(load.kill().is_ok(), "load");
    let _ = load.wait();
    wait_drained(&world, &node, Duration::from_secs(120));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}

fn restores(node: &Node) -> String {
    node.log().lines().filter(|line| line.contains("restore")).collect::<Vec<_>>().join("\n")
}
