//! What the topics say, in compact form: inputs and the events they lead to.

use std::fmt;

use crate::code::Code;
use crate::place::Place;

/// Text that is kept by the hundred thousand.
pub(crate) type Text = Box<str>;

/// Three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Currency(pub(crate) [u8; 3]);

impl Currency {
    /// The currency of an account that was opened without naming one.
    pub(crate) const DEFAULT: Currency = Currency(*b"CNY");

    /// Returns the currency written as `text`.
    pub(crate) fn from_text(text: &str) -> Option<Currency> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Currency(letters))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// A valid input record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) place: Place,
    /// Record timestamp, ms since the epoch.
    pub(crate) timestamp_ms: i64,
    pub(crate) user: u64,
    /// Fingerprint of the last `traceparent`.
    pub(crate) trace: Option<u64>,
    /// The code of the dead letter that was found for it.
    pub(crate) dead: Option<Code>,
    pub(crate) body: Body,
}

/// What a valid input asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    OrderCreated { order: u64, amount: i64, currency: Option<Currency> },
    OrderPaid,
    OrderCancelled { order: u64 },
    OrderRefundRequested { order: u64, refund: Text, amount: i64 },
    OpenAccount { currency: Currency, overdraft: i64 },
    DepositFunds { amount: i64, currency: Option<Currency>, reference: Text },
    WithdrawFunds { amount: i64, currency: Option<Currency>, reference: Text },
    FreezeAccount { reason: Option<Text> },
    UnfreezeAccount { reason: Option<Text> },
    CloseAccount { reason: Option<Text> },
}

impl Body {
    /// Returns the order that this is about, for messages.
    pub(crate) fn order(&self) -> Option<u64> {
        match self {
            Body::OrderCreated { order, .. }
            | Body::OrderCancelled { order }
            | Body::OrderRefundRequested { order, .. } => Some(*order),
            _ => None,
        }
    }

    /// Returns the event type on the wire.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Body::OrderCreated { .. } => "OrderCreated",
            Body::OrderPaid => "OrderPaid",
            Body::OrderCancelled { .. } => "OrderCancelled",
            Body::OrderRefundRequested { .. } => "OrderRefundRequested",
            Body::OpenAccount { .. } => "OpenAccount",
            Body::DepositFunds { .. } => "DepositFunds",
            Body::WithdrawFunds { .. } => "WithdrawFunds",
            Body::FreezeAccount { .. } => "FreezeAccount",
            Body::UnfreezeAccount { .. } => "UnfreezeAccount",
            Body::CloseAccount { .. } => "CloseAccount",
        }
    }
}

/// Status of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Frozen,
    Closed,
}

/// What a debit is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    Order(u64),
    Withdrawal(Text),
}

/// What an output says after its envelope; the user stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Opened {
        currency: Currency,
        overdraft: i64,
        version: u64,
    },
    Credited {
        reference: Text,
        change: Change,
    },
    Debited {
        purpose: Purpose,
        change: Change,
    },
    DebitFailed {
        order: u64,
        amount: i64,
        reason: Text,
        balance: Option<i64>,
    },
    Refunded {
        order: u64,
        refund: Option<Text>,
        refunded_total: i64,
        change: Change,
    },
    /// AccountFrozen, AccountUnfrozen or AccountClosed, by the status that it leads to.
    Became {
        status: Status,
        reason: Option<Text>,
        version: u64,
    },
    Rejected {
        command: Text,
        reference: Option<Text>,
        refund: Option<Text>,
        order: Option<u64>,
        reason: Text,
    },
}

/// One change of a balance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub(crate) delta: i64,
    pub(crate) balance_after: i64,
    pub(crate) currency: Currency,
    pub(crate) version: u64,
}

impl Event {
    /// Returns the event type on the wire.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Event::Opened { .. } => "AccountOpened",
            Event::Credited { .. } => "AccountCredited",
            Event::Debited { .. } => "AccountDebited",
            Event::DebitFailed { .. } => "DebitFailed",
            Event::Refunded { .. } => "AccountRefunded",
            Event::Became { status: Status::Frozen, .. } => "AccountFrozen",
            Event::Became { status: Status::Open, .. } => "AccountUnfrozen",
            Event::Became { status: Status::Closed, .. } => "AccountClosed",
            Event::Rejected { .. } => "CommandRejected",
        }
    }

    /// Returns the order that this is about.
    pub(crate) fn order(&self) -> Option<u64> {
        match self {
            Event::Debited { purpose: Purpose::Order(order), .. }
            | Event::DebitFailed { order, .. }
            | Event::Refunded { order, .. } => Some(*order),
            Event::Rejected { order, .. } => *order,
            _ => None,
        }
    }

    /// Returns the change of a balance in it.
    pub(crate) fn change(&self) -> Option<&Change> {
        match self {
            Event::Credited { change, .. }
            | Event::Debited { change, .. }
            | Event::Refunded { change, .. } => Some(change),
            _ => None,
        }
    }

    /// Returns the account's version after it; `None` when it changes no account.
    pub(crate) fn version(&self) -> Option<u64> {
        match self {
            Event::Opened { version, .. } | Event::Became { version, .. } => Some(*version),
            _ => self.change().map(|change| change.version),
        }
    }
}

/// A readable output record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    /// Partition of the output topic.
    pub(crate) partition: i32,
    /// Offset in the output topic.
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) source: Place,
    pub(crate) user: u64,
    pub(crate) trace: Option<u64>,
    pub(crate) event: Event,
}
