//! What the generator hands out: one record for Kafka and what kind of thing it is.

use super::bad::BadKind;
use super::others::OtherKind;

/// One of the two input topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// `order.events`.
    Orders,
    /// `account.commands`.
    Commands,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Opens a user's account.
    Open,
    /// Deposits a user's money.
    Deposit,
    /// An order that the user can pay (unless a freeze or another event of [`OtherKind`] comes in between).
    Order,
    /// An earlier order once more, sometimes under another event id.
    Duplicate,
    /// An order above everything that the user can have.
    ShortOfFunds,
    /// An order of a user without account.
    UnknownUser,
    /// Anything else that the contract knows.
    Other(OtherKind),
    /// A record that must become a dead letter.
    Bad(BadKind),
    /// A good record with something changed at random, on either topic; nobody knows what becomes of it.
    Mutated(Stream),
}

impl Kind {
    /// Returns the topic that records of this kind go to.
    #[must_use]
    pub fn stream(self) -> Stream {
        match self {
            Self::Open | Self::Deposit => Stream::Commands,
            Self::Order | Self::Duplicate | Self::ShortOfFunds | Self::UnknownUser => Stream::Orders,
            Self::Other(other) => other.stream(),
            Self::Bad(bad) => bad.stream(),
            Self::Mutated(stream) => stream,
        }
    }

    /// Returns the kind's name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open account",
            Self::Deposit => "deposit",
            Self::Order => "order",
            Self::Duplicate => "duplicate",
            Self::ShortOfFunds => "short of funds",
            Self::UnknownUser => "unknown user",
            Self::Other(other) => other.name(),
            Self::Bad(bad) => bad.name(),
            Self::Mutated(Stream::Orders) => "mutated order event",
            Self::Mutated(Stream::Commands) => "mutated command",
        }
    }
}

/// One record as it is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Topic.
    pub stream: Stream,
    /// Partition; not the key's own one where that is what is bad about the record.
    pub partition: u32,
    /// Key; absent where that is what is bad.
    pub key: Option<Vec<u8>>,
    /// Value; absent where that is what is bad.
    pub value: Option<Vec<u8>>,
    /// Record timestamp, ms since the epoch.
    pub timestamp_ms: i64,
    /// What it is.
    pub kind: Kind,
}
