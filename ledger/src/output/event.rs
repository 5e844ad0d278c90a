//! Events of `account.events`.

use millpond_topology::SourcePosition;

use crate::ids::{OrderId, UserId};
use crate::money::{Amount, Fen};
use crate::reason::{DebitFailure, Rejection};
use crate::state::{Account, Status};

/// What money left an account for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'a> {
    /// An order.
    Order(OrderId),
    /// A withdrawal, by its reference.
    Withdrawal(&'a str),
}

/// What a rejected command was about, besides the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The account alone.
    Account,
    /// A deposit or withdrawal, by its reference.
    Reference(&'a str),
    /// A refund.
    Refund {
        /// Which refund.
        refund_id: &'a str,
        /// Of which order.
        order: OrderId,
    },
}

/// What happened. `account` is the account after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountEvent<'a> {
    /// AccountOpened.
    Opened {
        /// The account.
        account: Account,
    },
    /// AccountCredited.
    Credited {
        /// The account.
        account: Account,
        /// The deposit's reference.
        reference: &'a str,
        /// How much came in.
        amount: Amount,
    },
    /// AccountDebited.
    Debited {
        /// The account.
        account: Account,
        /// What for.
        cause: Cause<'a>,
        /// How much went out.
        amount: Amount,
    },
    /// DebitFailed.
    DebitFailed {
        /// The order.
        order: OrderId,
        /// What it costs.
        amount: Amount,
        /// Why.
        reason: DebitFailure,
        /// The balance, where there is an account.
        balance: Option<Fen>,
    },
    /// AccountRefunded.
    Refunded {
        /// The account.
        account: Account,
        /// The order.
        order: OrderId,
        /// The refund; `None` for a cancellation.
        refund_id: Option<&'a str>,
        /// How much came back, above 0.
        amount: Fen,
        /// How much of the order came back so far.
        refunded_total: Fen,
    },
    /// AccountFrozen, AccountUnfrozen or AccountClosed, by the account's status.
    StatusChanged {
        /// The account.
        account: Account,
        /// Why, where the command says it.
        reason: Option<&'a str>,
    },
    /// CommandRejected.
    Rejected {
        /// Event type of the command.
        command: &'static str,
        /// What it was about.
        subject: Subject<'a>,
        /// Why.
        reason: Rejection,
    },
}

impl AccountEvent<'_> {
    /// Returns the event type.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "AccountOpened",
            Self::Credited { .. } => "AccountCredited",
            Self::Debited { .. } => "AccountDebited",
            Self::DebitFailed { .. } => "DebitFailed",
            Self::Refunded { .. } => "AccountRefunded",
            Self::StatusChanged { account, .. } => match account.status {
                Status::Open => "AccountUnfrozen",
                Status::Frozen => "AccountFrozen",
                Status::Closed => "AccountClosed",
            },
            Self::Rejected { .. } => "CommandRejected",
        }
    }
}

/// An event with all that its envelope is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// What happened.
    pub event: AccountEvent<'a>,
    /// To whom.
    pub user: UserId,
    /// The record that it comes from.
    pub source: SourcePosition<'a>,
    /// Number of this output among those of the same record, from 0.
    pub index: u32,
    /// Timestamp of that record, ms since the epoch.
    pub timestamp_ms: i64,
}
