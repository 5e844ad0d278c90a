//! Open-loop pacing: how many records are due by now, whatever the broker does.

use std::time::Duration;

/// A schedule of evenly spaced records.
///
/// Record `n` is due at `n / rate` after the start. What a slow moment held up is due at once when it is over, so the
/// rate does not drift and a slow system is not spared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Records per second; 0 = as fast as possible.
    rate: u64,
}

impl Pace {
    /// As fast as possible.
    pub const UNLIMITED: Self = Self { rate: 0 };

    /// Creates a schedule of `rate` records per second; 0 means as fast as possible.
    #[must_use]
    pub fn per_second(rate: u64) -> Self {
        Self { rate }
    }

    /// Returns how many records are due `elapsed` after the start; `u64::MAX` without a rate.
    #[must_use]
    pub fn due(self, elapsed: Duration) -> u64 {
        if self.rate == 0 {
            return u64::MAX;
        }
        let due = elapsed.as_nanos().saturating_mul(u128::from(self.rate)) / 1_000_000_000;
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn does_not_drift() {
        let pace = Pace::per_second(8_000);
        assert_eq!(pace.due(Duration::ZERO), 0);
        assert_eq!(pace.due(Duration::from_micros(124)), 0);
        assert_eq!(pace.due(Duration::from_micros(125)), 1);
        assert_eq!(pace.due(Duration::from_hours(24)), 691_200_000);
    }

    #[test]
    fn without_a_rate_everything_is_due() {
        assert_eq!(Pace::UNLIMITED.due(Duration::ZERO), u64::MAX);
    }
}
