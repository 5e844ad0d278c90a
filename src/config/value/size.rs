//! A number of bytes: `64MiB`.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::config::setting::Setting;

/// Bytes per unit, the largest first. Decimal units are refused: a budget has one meaning.
const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// Makes a size of this many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Makes a size of this many mebibytes.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// Returns its bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Returns its bytes as an index into memory; the greatest index where it is more.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0 > 0 && self.0.is_multiple_of(*bytes));
        let (name, bytes) = unit.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl Setting for Size {
    fn read(text: &str) -> Result<Self, String> {
        let refuse =
            || "must be a whole number and a unit (B, KiB, MiB, GiB or TiB), such as 64MiB".to_owned();
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let (digits, unit) = text.split_at(digits_end);
        let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(refuse)?;
        let number: u64 = digits.parse().map_err(|_| refuse())?;
        number.checked_mul(*bytes).map(Self).ok_or_else(|| "is more than 64 bits of bytes".to_owned())
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
    fn binary_units_are_required() {
        assert_eq!(Size::read("64MiB"), Ok(Size::from_mib(64)));
        assert_eq!(Size::read("1 GiB"), Ok(Size::from_mib(1024)));
        for text in ["", "64", "64MB", "64mib", "-1B", "1.5GiB", "99999999TiB"] {
            assert!(Size::read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes in any::<u64>()) {
            let size = Size::from_bytes(bytes);
            prop_assert_eq!(Size::read(&size.to_string()), Ok(size));
        }
    }
}
