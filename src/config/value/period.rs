//! A length of time: `100ms`, `10s`, `5m`, `24h`.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::config::setting::Setting;

/// Milliseconds per unit, the longest unit first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time, in whole milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

impl Period {
    /// Makes a period of this many milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Makes a period of this many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// Returns it as the standard library's duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Returns its milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days are read but not shown: 24h is what people write.
        let unit = UNITS.iter().skip(1).find(|(_, ms)| self.0 > 0 && self.0.is_multiple_of(*ms));
        let (name, ms) = unit.copied().unwrap_or(("ms", 1));
        write!(f, "{}{name}", self.0 / ms)
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl Setting for Period {
    fn read(text: &str) -> Result<Self, String> {
        let refuse = || "must be a whole number and a unit (ms, s, m, h or d), such as 100ms".to_owned();
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let (digits, unit) = text.split_at(digits_end);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(refuse)?;
        let number: u64 = digits.parse().map_err(|_| refuse())?;
        number.checked_mul(*ms).map(Self).ok_or_else(|| "is longer than 64 bits of milliseconds".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_required_and_understood() {
        let known =
            [("100ms", 100), ("10s", 10_000), ("5m", 300_000), ("24h", 86_400_000), ("1d", 86_400_000)];
        for (text, ms) in known {
            assert_eq!(Period::read(text), Ok(Period::from_ms(ms)), "{text}");
        }
        for text in ["", "100", "ms", "1.5s", "-1s", "1 week", "10S", "99999999999999999d"] {
            assert!(Period::read(text).is_err(), "{text}");
        }
        assert_eq!(Period::read("10 s"), Ok(Period::from_secs(10)));
    }

    #[test]
    fn the_largest_exact_unit_is_shown() {
        for (ms, shown) in
            [(0, "0ms"), (100, "100ms"), (1_500, "1500ms"), (60_000, "1m"), (86_400_000, "24h")]
        {
            assert_eq!(Period::from_ms(ms).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ms in any::<u64>()) {
            let period = Period::from_ms(ms);
            prop_assert_eq!(Period::read(&period.to_string()), Ok(period));
        }
    }
}
