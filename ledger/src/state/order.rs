//! Store 2, `orders`: what became of each order.

use bincode::{Decode, Encode};
use millpond_topology::{BincodeCodec, Versioned};

use super::one_byte::one_byte;
use crate::money::{Amount, Fen};
use crate::reason::DebitFailure;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderOutcome {
    /// Debited.
    Debited,
    /// Failed: no account.
    AccountNotFound,
    /// Failed: not enough money.
    InsufficientBalance,
    /// Failed: account frozen.
    AccountFrozen,
    /// Failed: account closed.
    AccountClosed,
    /// Failed: another currency.
    CurrencyMismatch,
    /// Failed: cancelled before it came.
    OrderCancelled,
    /// Not seen yet, but cancelled.
    CancellationRemembered,
    /// Debited, then cancelled: nothing is left of the debit.
    DebitedAndCancelled,
}

one_byte!(OrderOutcome {
    Debited = 0,
    AccountNotFound = 1,
    InsufficientBalance = 2,
    AccountFrozen = 3,
    AccountClosed = 4,
    CurrencyMismatch = 5,
    OrderCancelled = 6,
    CancellationRemembered = 7,
    DebitedAndCancelled = 8,
});

impl From<DebitFailure> for OrderOutcome {
    fn from(failure: DebitFailure) -> Self {
        match failure {
            DebitFailure::AccountNotFound => Self::AccountNotFound,
            DebitFailure::AccountFrozen => Self::AccountFrozen,
            DebitFailure::AccountClosed => Self::AccountClosed,
            DebitFailure::CurrencyMismatch => Self::CurrencyMismatch,
            DebitFailure::OrderCancelled => Self::OrderCancelled,
            DebitFailure::InsufficientBalance => Self::InsufficientBalance,
        }
    }
}

/// An order as the ledger remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OrderRecord {
    /// What became of it.
    pub outcome: OrderOutcome,
    /// Its amount; 0 for a cancellation whose order was not seen.
    pub amount: Fen,
    /// How much of the debit went back.
    pub refunded: Fen,
    /// The refunds applied, in order; a cancellation has none.
    pub refund_ids: Vec<String>,
}

impl OrderRecord {
    /// Returns the record of an order that was debited or failed.
    #[must_use]
    pub const fn decided(outcome: OrderOutcome, amount: Amount) -> Self {
        Self { outcome, amount: amount.fen(), refunded: Fen::ZERO, refund_ids: Vec::new() }
    }

    /// Returns the record of a cancellation whose order was not seen yet.
    #[must_use]
    pub const fn cancelled_early() -> Self {
        Self {
            outcome: OrderOutcome::CancellationRemembered,
            amount: Fen::ZERO,
            refunded: Fen::ZERO,
            refund_ids: Vec::new(),
        }
    }

    /// Says whether money was taken for it.
    #[must_use]
    pub const fn was_debited(&self) -> bool {
        matches!(self.outcome, OrderOutcome::Debited | OrderOutcome::DebitedAndCancelled)
    }

    /// Says what makes this record impossible, or `None` when it is sound.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let seen = self.outcome != OrderOutcome::CancellationRemembered;
        let refunds = self.refunded != Fen::ZERO || !self.refund_ids.is_empty();
        if seen != Amount::new(self.amount.get()).is_some() || (!seen && self.amount != Fen::ZERO) {
            Some("the amount is out of range")
        } else if !self.was_debited() && refunds {
            Some("it was refunded but never debited")
        } else if self.refunded < Fen::ZERO || self.refunded > self.amount {
            Some("more was refunded than debited")
        } else if self.outcome == OrderOutcome::DebitedAndCancelled && self.refunded != self.amount {
            Some("it was cancelled but not refunded")
        } else if self.outcome == OrderOutcome::Debited
            && (self.refunded > Fen::ZERO) == self.refund_ids.is_empty()
        {
            Some("the refunded sum and the refunds do not agree")
        } else {
            None
        }
    }
}

impl Versioned for OrderRecord {
    const VERSION: u8 = 1;
    const NAME: &'static str = "ledger.order";
}

/// The codec of orders.
pub type OrderCodec = BincodeCodec<OrderRecord>;
