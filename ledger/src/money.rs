//! Money: fen in an `i64`, never a float, never wrapping.

use std::fmt;

use bincode::{Decode, Encode};
use millpond_mutants::{Mutant, is};

/// Says that a sum would leave 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sum would leave 64 bits")]
pub struct Overflow;

/// Holds an amount of money in fen (1/100 yuan); negative for a debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Fen(i64);

impl Fen {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Returns an amount of `fen`.
    #[must_use]
    pub const fn new(fen: i64) -> Self {
        Self(fen)
    }

    /// Returns the number of fen.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Adds.
    ///
    /// # Errors
    /// [`Overflow`] when the sum would leave 64 bits.
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        if is(Mutant::I64Wrap) {
            return Ok(Self(self.0.wrapping_add(other.0)));
        }
        self.0.checked_add(other.0).map(Self).ok_or(Overflow)
    }

    /// Subtracts.
    ///
    /// # Errors
    /// [`Overflow`] when the difference would leave 64 bits.
    pub fn minus(self, other: Self) -> Result<Self, Overflow> {
        if is(Mutant::I64Wrap) {
            return Ok(Self(self.0.wrapping_sub(other.0)));
        }
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
    }

    /// Says whether this is an amount that an overdraft or a price may have: 0 to [`Amount::FEN_MAX`].
    #[must_use]
    pub const fn is_limit(self) -> bool {
        0 <= self.0 && self.0 <= Amount::FEN_MAX
    }
}

/// Holds an amount that an event moves: 1 to 10^15 fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// The greatest amount, fen: ten trillion yuan, and still 9,223 of them fit into an `i64`.
    pub const FEN_MAX: i64 = 1_000_000_000_000_000;

    /// Returns the amount, or `None` when it is out of range.
    #[must_use]
    pub const fn new(fen: i64) -> Option<Self> {
        if 1 <= fen && fen <= Self::FEN_MAX { Some(Self(fen)) } else { None }
    }

    /// Returns the amount as money.
    #[must_use]
    pub const fn fen(self) -> Fen {
        Fen(self.0)
    }

    /// Returns the amount as money that leaves; cannot overflow, because an amount is small.
    #[must_use]
    pub const fn taken(self) -> Fen {
        Fen(-self.0)
    }
}

/// Holds a currency code: three of `A` to `Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of an account that names none.
    pub const CNY: Self = Self(*b"CNY");

    /// Returns the currency, or `None` when `code` is not three of `A` to `Z`.
    #[must_use]
    pub fn new(code: &[u8]) -> Option<Self> {
        let code: [u8; 3] = code.try_into().ok()?;
        Some(Self(code)).filter(|currency| currency.is_code())
    }

    /// Says whether the bytes are a currency code; bytes read from a store need not be.
    pub(crate) fn is_code(self) -> bool {
        self.0.iter().all(u8::is_ascii_uppercase)
    }

    /// Returns the three bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 3] {
        &self.0
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stop_at_64_bits() {
        assert_eq!(Fen::new(i64::MAX - 1).plus(Fen::new(1)), Ok(Fen::new(i64::MAX)));
        assert_eq!(Fen::new(i64::MAX).plus(Fen::new(1)), Err(Overflow));
        assert_eq!(Fen::new(i64::MIN).minus(Fen::new(1)), Err(Overflow));
        assert_eq!(Fen::new(3).minus(Fen::new(5)), Ok(Fen::new(-2)));
    }

    #[test]
    fn amounts_have_both_ends() {
        assert_eq!(Amount::new(0), None);
        assert_eq!(Amount::new(-1), None);
        assert_eq!(Amount::new(1).map(Amount::taken), Some(Fen::new(-1)));
        assert_eq!(Amount::new(Amount::FEN_MAX).map(Amount::fen), Some(Fen::new(1_000_000_000_000_000)));
        assert_eq!(Amount::new(Amount::FEN_MAX + 1), None);
    }

    #[test]
    fn currencies_are_three_capitals() {
        assert_eq!(Currency::new(b"CNY"), Some(Currency::CNY));
        for wrong in ["", "CN", "CNYY", "cny", "CN1", "C Y"] {
            assert_eq!(Currency::new(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
