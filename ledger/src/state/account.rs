//! Store 1, `accounts`: one account per user.

use bincode::{Decode, Encode};
use millpond_mutants::{Mutant, is};
use millpond_topology::{BincodeCodec, Versioned};

use super::one_byte::one_byte;
use crate::money::{Amount, Currency, Fen, Overflow};

/// Whether an account can be debited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Everything is allowed.
    Open,
    /// Debits are refused.
    Frozen,
    /// Everything but refunds is refused, for ever.
    Closed,
}

one_byte!(Status { Open = 0, Frozen = 1, Closed = 2 });

/// An account. `balance = total_credited - total_debited` always holds, and `balance >= -overdraft`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    /// What is on it; negative within the overdraft.
    pub balance: Fen,
    /// How far the balance may fall below 0.
    pub overdraft: Fen,
    /// Its one currency.
    pub currency: Currency,
    /// Whether it can be debited.
    pub status: Status,
    /// Number of changes of this record, the first one included.
    pub version: u64,
    /// All that ever came in.
    pub total_credited: Fen,
    /// All that ever went out.
    pub total_debited: Fen,
}

impl Account {
    /// Returns an account that is not stored yet: version 0, its first change makes it version 1.
    #[must_use]
    pub const fn blank(currency: Currency, overdraft: Fen) -> Self {
        Self {
            balance: Fen::ZERO,
            overdraft,
            currency,
            status: Status::Open,
            version: 0,
            total_credited: Fen::ZERO,
            total_debited: Fen::ZERO,
        }
    }

    /// Returns the account after a change that moves no money.
    ///
    /// # Errors
    /// [`Overflow`] when the version would leave 64 bits.
    pub fn with_status(self, status: Status) -> Result<Self, Overflow> {
        Ok(Self { status, version: self.version.checked_add(1).ok_or(Overflow)?, ..self })
    }

    /// Returns the account with `amount` more on it.
    ///
    /// # Errors
    /// [`Overflow`] when a sum would leave 64 bits.
    pub fn credit(self, amount: Fen) -> Result<Self, Overflow> {
        let balance = self.balance.plus(amount)?;
        let total_credited = self.total_credited.plus(amount)?;
        Self { balance, total_credited, ..self }.with_status(self.status)
    }

    /// Returns the account with `amount` less on it; whether it [covers](Self::covers) that is for the caller
    /// to ask.
    ///
    /// # Errors
    /// [`Overflow`] when a sum would leave 64 bits.
    pub fn debit(self, amount: Amount) -> Result<Self, Overflow> {
        let balance = self.balance.minus(amount.fen())?;
        let total_debited = self.total_debited.plus(amount.fen())?;
        Self { balance, total_debited, ..self }.with_status(self.status)
    }

    /// Says whether balance and overdraft cover `amount`.
    ///
    /// # Errors
    /// [`Overflow`] when balance and overdraft together leave 64 bits.
    pub fn covers(&self, amount: Amount) -> Result<bool, Overflow> {
        Ok(self.balance.plus(self.overdraft)? >= amount.fen() || is(Mutant::OverdraftUnchecked))
    }

    /// Says whether `currency`, where one is named, is the account's.
    #[must_use]
    pub fn accepts(&self, currency: Option<Currency>) -> bool {
        currency.is_none_or(|currency| currency == self.currency)
    }

    /// Says what makes this account impossible, or `None` when it is sound.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let wide = |fen: Fen| i128::from(fen.get());
        if wide(self.balance) != wide(self.total_credited) - wide(self.total_debited) {
            Some("the balance is not what was credited less what was debited")
        } else if self.total_credited < Fen::ZERO || self.total_debited < Fen::ZERO {
            Some("a total is negative")
        } else if !self.overdraft.is_limit() {
            Some("the overdraft is out of range")
        } else if wide(self.balance) < -wide(self.overdraft) {
            Some("the balance is below the overdraft")
        } else if self.version == 0 {
            Some("the version is 0")
        } else if !self.currency.is_code() {
            Some("the currency is not three of A to Z")
        } else {
            None
        }
    }
}

impl Versioned for Account {
    const VERSION: u8 = 1;
    const NAME: &'static str = "ledger.account";
}

/// The codec of accounts.
pub type AccountCodec = BincodeCodec<Account>;
