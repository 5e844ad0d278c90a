//! Growing, jittered pauses between attempts that are repeated for ever.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// First pause, milliseconds.
const PAUSE_MS_MIN: u64 = 100;
/// Longest pause, milliseconds.
const PAUSE_MS_MAX: u64 = 10_000;

/// Pauses of 100 ms, 200 ms, ... up to 10 s, each shortened at random by up to a half, so that several
/// instances do not return to a restarted server at the same instant.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Returns the next pause and counts the attempt.
    pub(super) fn pause(&mut self) -> Duration {
        let full = PAUSE_MS_MIN.saturating_mul(1 << self.attempts.min(16)).min(PAUSE_MS_MAX);
        self.attempts = self.attempts.saturating_add(1);
        Duration::from_millis(full - random() % (full / 2 + 1))
    }

    /// Returns how many pauses were taken since the last success.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Forgets past failures: the next pause is the shortest again.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// Randomness for jitter alone: std's hash keys are seeded by the operating system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_seconds_and_shrink_after_success() {
        let mut backoff = Backoff::default();
        for expected in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            let pause = u64::try_from(backoff.pause().as_millis()).unwrap();
            assert!(pause >= expected / 2 && pause <= expected, "{pause} for {expected}");
        }
        for _ in 0..100 {
            assert!(backoff.pause() <= Duration::from_secs(10));
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(100));
        assert_eq!(backoff.attempts(), 1);
    }
}
