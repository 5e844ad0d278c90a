//! Waiting times between attempts.

use std::time::Duration;

/// First wait after a failure.
const WAIT_MIN: Duration = Duration::from_millis(100);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Doubling waits from 100 ms to 1 s with jitter, so that the members of a restarted broker do not return in
/// step.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    failures: u32,
    seed: u64,
}

impl Backoff {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { failures: 0, seed }
    }

    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns the number of waits since the last success.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the next wait: uniform in the upper half of its step.
    pub(crate) fn next(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let top = WAIT_MAX.min(WAIT_MIN.saturating_mul(1 << self.failures.min(4)));
        let bottom = WAIT_MIN.max(top / 2);
        let span = u64::try_from((top - bottom).as_micros()).unwrap_or(0);
        bottom + Duration::from_micros(self.random() % (span + 1))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_100_ms_to_1_s_and_differ_by_seed() {
        let (mut one, mut two) = (Backoff::new(1), Backoff::new(2));
        let waits: Vec<Duration> = (0..8).map(|_| one.next()).collect();
        assert!(waits.iter().all(|wait| (WAIT_MIN..=WAIT_MAX).contains(wait)), "{waits:?}");
        assert!(waits[0] <= WAIT_MIN * 2 && waits[7] >= WAIT_MAX / 2, "{waits:?}");
        assert_ne!(waits, (0..8).map(|_| two.next()).collect::<Vec<_>>());
        let firsts: Vec<Duration> = (0..100).map(|seed| Backoff::new(seed).next()).collect();
        assert!(firsts.iter().all(|wait| (WAIT_MIN..=WAIT_MIN * 2).contains(wait)), "{firsts:?}");
        one.reset();
        assert!(one.next() <= WAIT_MIN * 2);
    }
}
