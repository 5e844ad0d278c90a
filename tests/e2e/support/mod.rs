//! What every end-to-end test needs.

mod http;
pub(crate) mod kafka;
mod node;
mod offsets;
mod verdict;
mod world;

pub(crate) use node::Node;
pub(crate) use offsets::{Ends, committed_offset, group_lag};
pub(crate) use verdict::Verdict;
pub(crate) use world::{Background, World};

use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until `done` answers `true`, looking every 50 ms; fails the test with `what` after `limit`.
pub(crate) fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the sum of the stable ends of what the sink reads.
pub(crate) fn output_ends(world: &World) -> i64 {
    let topics = [world.topic("account.events"), world.topic("deadletter.events")];
    topics.iter().flat_map(|topic| Ends::of(world, topic).last_stable).sum()
}

/// Waits until everything that was written is committed by the processor and is in PostgreSQL.
pub(crate) fn wait_drained(world: &World, limit: Duration) {
    wait_until("the input is drained", limit, || group_lag(world) == 0);
    let ends = output_ends(world);
    // Asked of the database, since several processes may share the sink's partitions.
    wait_until("the sink is drained", limit, || world.sink_offsets() >= ends);
}

/// Keeps a figure that a test found, for the summary of `./dev test`.
pub(crate) fn keep_figure(name: &str, line: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
    let kept = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join(name), format!("{line}\n")));
    kept.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    eprintln!("{name}: {line}");
}

/// Measures how fast a topic grows from its creation to [`Rate::per_second`].
pub(crate) struct Rate {
    topic: String,
    from: i64,
    begun: Instant,
}

impl Rate {
    /// Begins to measure.
    pub(crate) fn of(world: &World, topic: &str) -> Self {
        let from = Ends::of(world, topic).high_watermark.iter().sum();
        Self { topic: topic.to_owned(), from, begun: Instant::now() }
    }

    /// Returns the records per second since.
    pub(crate) fn per_second(&self, world: &World) -> i64 {
        let ms = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX).max(1);
        let to: i64 = Ends::of(world, &self.topic).high_watermark.iter().sum();
        (to - self.from) * 1000 / ms
    }
}

/// Rows that may be replayed after a clean stop: the store's changelog position is a lower bound, behind by the transaction
/// markers since the end of the changelog was last asked for (every 2 s).
pub(crate) const REPLAY_AFTER_CLEAN_STOP_MAX: f64 = 500.0;

/// A small generator for test schedules (SplitMix64); its seed is printed by the test that uses it.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number in `from..to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }
}
