//! Random SIGKILLs under load: the oracle stays clean, only the unflushed tail is replayed.

use std::time::Duration;

use crate::support::{Ends, Node, Random, Rate, World, group_lag, keep_figure, wait_drained, wait_until};

/// Kills of the run.
const KILLS: u32 = 25;
/// Kills that must hit an open transaction or unflushed rows, else the run proves nothing.
const HITS_MIN: u32 = 20;
/// Orders per second that must have come meanwhile, else the run proves less than it says.
const RATE_MIN: i64 = 5000;
/// Rows after which a task flushes; small, so that kills fall on both sides of flushes.
const FLUSH_ROWS: i64 = 4000;
/// Rows after which a thread commits, over its tasks.
const COMMIT_ROWS: i64 = 4000;
/// Transaction markers by which a store's changelog position may lag: its end is asked for every 2 s, commits come ten times
/// a second.
const MARKERS_MAX: i64 = 64;

#[test]
fn twenty_five_random_kills_leave_everything_exact() {
    let seed = std::env::var("MILLPOND_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5eed);
    eprintln!("seed {seed}; repeat with MILLPOND_TEST_SEED={seed}");
    let mut random = Random(seed);
    let (flush_rows, commit_rows) = (FLUSH_ROWS.to_string(), COMMIT_ROWS.to_string());
    let settings = [
        ("MILLPOND_STATE__FLUSH_ROWS", flush_rows.as_str()),
        ("MILLPOND_STATE__FLUSH_INTERVAL", "2s"),
        ("MILLPOND_COMMIT__ROWS", commit_rows.as_str()),
    ];
    let world = World::with("kills", &settings);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    let mut load =
        world.start_load(&["--users", "5000", "--orders", "3000000", "--rate", "6000", "--seed", "25"]);
    wait_until("work is under way", Duration::from_secs(30), || node.committed() > 10_000);
    let rate = Rate::of(&world, &world.topic("order.events"));
    // Every task has flushed once by then, so no restore has a reason to begin at the beginning.
    std::thread::sleep(Duration::from_secs(3));
    let (mut hits, mut open, mut replayed) = (0u32, 0u32, 0i64);
    for kill in 1..=KILLS {
        let before = node.committed();
        wait_until("a first commit", Duration::from_secs(30), || node.committed() > before);
        std::thread::sleep(Duration::from_millis(random.between(300, 3000)));
        let unflushed = Unflushed::of(&world, &node);
        node.kill();
        let is_open = [world.changelog(), world.topic("account.events")]
            .iter()
            .any(|topic| Ends::of(&world, topic).is_open());
        assert!(group_lag(&world) > 0, "kill {kill} came after the input was drained: the run is void");
        let replay_max = unflushed.replay_max(&world);
        node = Node::start(&world, "one", &[]);
        node.wait_ready(Duration::from_secs(30));
        let restored = node.stores("restoredRecords");
        assert_eq!(restored.len(), replay_max.len(), "kill {kill}: {restored:?}");
        for ((task, rows), max) in restored.iter().zip(replay_max) {
            assert!(*rows <= max, "kill {kill}: task {task} replayed {rows} rows, {max} were unflushed");
        }
        let from = node.stores("restoredFrom");
        assert!(from.values().all(|from| *from > 0), "kill {kill}: from the beginning: {from:?}");
        let rows: i64 = restored.values().sum();
        replayed += rows;
        open += u32::from(is_open);
        hits += u32::from(is_open || unflushed.rows.iter().any(|rows| *rows > 0));
    }
    let rate = rate.per_second(&world);
    assert!(rate >= RATE_MIN, "only {rate} orders/s: the run is void");
    assert!(hits >= HITS_MIN, "only {hits} of {KILLS} kills hit something: the run is void");
    let line = format!(
        "{hits} of {KILLS} kills hit an open transaction ({open}) or unflushed rows ({replayed} replayed in all), at \
         {rate} orders/s, seed {seed}"
    );
    keep_figure("kills", &line);
    // The load outlasts any machine; what it has written by now is judged.
    assert!(load.kill().is_ok(), "load");
    let _ = load.wait();
    wait_drained(&world, Duration::from_secs(120));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}

/// What each task had not flushed shortly before a kill.
struct Unflushed {
    /// High watermarks of the changelog, by partition, read before the rows.
    changelog: Vec<i64>,
    /// Rows, by partition.
    rows: Vec<i64>,
}

impl Unflushed {
    fn of(world: &World, node: &Node) -> Self {
        let changelog = Ends::of(world, &world.changelog()).high_watermark;
        let rows: Vec<i64> = node.stores("unflushedRows").into_values().collect();
        assert_eq!(rows.len(), changelog.len(), "every task runs here");
        for rows in &rows {
            let max = FLUSH_ROWS + COMMIT_ROWS;
            assert!(*rows <= max, "{rows} rows are not flushed: more than {FLUSH_ROWS} and one transaction");
        }
        Self { changelog, rows }
    }

    /// Returns the most rows that may be replayed, by partition: those, what came after them until the kill, and the one
    /// transaction that was under way between the log and the store when they were counted.
    fn replay_max(&self, world: &World) -> Vec<i64> {
        let ends = Ends::of(world, &world.changelog()).high_watermark;
        let later = ends.iter().zip(&self.changelog).map(|(end, before)| end - before);
        later.zip(&self.rows).map(|(later, rows)| rows + later + COMMIT_ROWS + MARKERS_MAX).collect()
    }
}
