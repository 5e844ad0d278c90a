//! When everything is done, and when nothing moves any more.

use std::time::Duration;

/// How long everything must have been at rest: lag that was 0 between two looks alone does not count.
const REST: Duration = Duration::from_millis(500);

/// What of the system tells whether it is drained; `None` where it cannot be asked just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Levels {
    /// Input that Kafka has as uncommitted.
    pub(super) kafka_lag: Option<u64>,
    /// Lag that the processor reports.
    pub(super) source_lag: Option<u64>,
    /// Lag that the sink reports.
    pub(super) sink_lag: Option<u64>,
}

impl Levels {
    /// Tells whether everyone says 0.
    pub(super) fn are_empty(&self) -> bool {
        [self.kafka_lag, self.source_lag, self.sink_lag] == [Some(0); 3]
    }
}

/// Waits until everyone has said 0 for a while.
#[derive(Debug, Clone, Default)]
pub(super) struct Drain {
    empty_since: Option<Duration>,
}

impl Drain {
    /// Tells whether the system is drained, `now` (since any fixed moment) that this is seen.
    pub(super) fn observe(&mut self, now: Duration, levels: &Levels) -> bool {
        if !levels.are_empty() {
            self.empty_since = None;
            return false;
        }
        let since = *self.empty_since.get_or_insert(now);
        now.saturating_sub(since) >= REST
    }
}

/// Notices that nothing moves.
#[derive(Debug, Clone)]
pub(super) struct Stall<T> {
    last: Option<T>,
    moved: Duration,
    limit: Duration,
}

impl<T: PartialEq> Stall<T> {
    /// Begins at `now`; nothing may stand still for longer than `limit`.
    pub(super) fn new(now: Duration, limit: Duration) -> Self {
        Self { last: None, moved: now, limit }
    }

    /// Tells whether `sign` has been the same for longer than the limit.
    pub(super) fn observe(&mut self, now: Duration, sign: T) -> bool {
        if self.last.as_ref() != Some(&sign) {
            self.last = Some(sign);
            self.moved = now;
        }
        now.saturating_sub(self.moved) > self.limit
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Drain, Levels, Stall};

    const EMPTY: Levels = Levels { kafka_lag: Some(0), source_lag: Some(0), sink_lag: Some(0) };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn drained_is_zero_everywhere_for_half_a_second() {
        let mut drain = Drain::default();
        assert!(!drain.observe(at(0), &EMPTY));
        assert!(!drain.observe(at(400), &EMPTY));
        assert!(!drain.observe(at(450), &Levels { sink_lag: Some(1), ..EMPTY }));
        assert!(!drain.observe(at(600), &EMPTY));
        assert!(drain.observe(at(1_100), &EMPTY));
    }

    #[test]
    fn what_is_unknown_is_not_empty() {
        for levels in [
            Levels { kafka_lag: None, ..EMPTY },
            Levels { source_lag: None, ..EMPTY },
            Levels { sink_lag: None, ..EMPTY },
            Levels { kafka_lag: Some(1), ..EMPTY },
            Levels { source_lag: Some(1), ..EMPTY },
        ] {
            let mut drain = Drain::default();
            assert!(!drain.observe(at(0), &levels) && !drain.observe(at(5_000), &levels), "{levels:?}");
        }
    }

    #[test]
    fn standing_still_is_noticed_and_moving_forgives() {
        let mut stall = Stall::new(at(0), at(100));
        assert!(!stall.observe(at(90), 1));
        assert!(!stall.observe(at(190), 1));
        assert!(stall.observe(at(191), 1));
        assert!(!stall.observe(at(200), 2));
    }
}
