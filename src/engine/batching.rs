//! When a transaction is committed.

use std::time::Duration;

/// How eagerly to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By interval, rows and bytes: fewest transactions.
    Throughput,
    /// As soon as no input is waiting.
    Latency,
}

/// What the open transaction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Records, outputs or state changes are there, not moved offsets alone.
    pub has_effects: bool,
    /// Offsets moved.
    pub is_dirty: bool,
    /// Outputs and after-images.
    pub rows: usize,
    /// Bytes of outputs and overlay.
    pub bytes: usize,
    /// Input records that are buffered and not processed.
    pub waiting: usize,
}

/// Decides when a commit is due. The limits are configuration: `commit.interval`, `commit.rows`, `commit.bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// Longest time from the first effect to the commit.
    pub interval: Duration,
    /// Rows that make a commit due early.
    pub rows: usize,
    /// Bytes that make a commit due early.
    pub bytes: usize,
    /// How eagerly.
    pub mode: Mode,
    /// How long offsets that moved without any effect (transaction markers, aborted input) wait for a commit of their
    /// own, so that lag reads 0 when drained.
    pub idle_interval: Duration,
}

impl Batching {
    /// Says whether to commit now; `since` is when the transaction got its first content.
    #[must_use]
    pub fn is_due(&self, now: Duration, since: Duration, pending: Pending) -> bool {
        let age = now.saturating_sub(since);
        if !pending.is_dirty {
            return false;
        }
        if !pending.has_effects {
            return age >= self.idle_interval;
        }
        pending.rows >= self.rows
            || pending.bytes >= self.bytes
            || age >= self.interval
            || (self.mode == Mode::Latency && pending.waiting == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Batching = Batching {
        interval: Duration::from_millis(100),
        rows: 10,
        bytes: 1000,
        mode: Mode::Throughput,
        idle_interval: Duration::from_millis(200),
    };

    fn due(batching: Batching, age_ms: u64, pending: Pending) -> bool {
        batching.is_due(Duration::from_millis(1000 + age_ms), Duration::from_secs(1), pending)
    }

    #[test]
    fn each_limit_alone_makes_a_commit_due() {
        let some = Pending { has_effects: true, is_dirty: true, rows: 1, bytes: 1, waiting: 5 };
        assert!(!due(ALL, 99, some));
        assert!(due(ALL, 100, some));
        assert!(due(ALL, 0, Pending { rows: 10, ..some }));
        assert!(due(ALL, 0, Pending { bytes: 1000, ..some }));
    }

    #[test]
    fn latency_mode_commits_when_nothing_waits() {
        let latency = Batching { mode: Mode::Latency, ..ALL };
        let some = Pending { has_effects: true, is_dirty: true, rows: 1, bytes: 1, waiting: 0 };
        assert!(due(latency, 0, some));
        assert!(!due(latency, 0, Pending { waiting: 1, ..some }));
        assert!(!due(ALL, 0, some));
    }

    #[test]
    fn moved_offsets_alone_are_committed_after_a_while_and_nothing_never() {
        let moved = Pending { is_dirty: true, ..Pending::default() };
        assert!(!due(ALL, 100, moved));
        assert!(due(ALL, 200, moved));
        assert!(!due(ALL, 10_000, Pending::default()));
    }
}
