//! Keys and values of the ledger's three stores.

use super::cursor::{Cursor, FormatError};
use crate::event::{Currency, Status, Text};

/// Id of the store `accounts`.
pub(crate) const ACCOUNTS: u16 = 1;
/// Id of the store `orders`.
pub(crate) const ORDERS: u16 = 2;
/// Id of the store `references`.
pub(crate) const REFERENCES: u16 = 3;

const VERSION: u8 = 1;

/// What a reference was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ReferenceKind {
    Deposit,
    Withdrawal,
}

/// A decoded key of changelog and RocksDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowKey {
    Account { user: u64 },
    Order { user: u64, order: u64 },
    Reference { user: u64, kind: ReferenceKind, reference: Text },
}

impl RowKey {
    /// Reads a key (store id first); the marker's and the metadata's are not among them.
    pub(crate) fn decode(key: &[u8]) -> Result<RowKey, FormatError> {
        let mut bytes = Cursor::new(key);
        let store = bytes.array("store id").map(u16::from_be_bytes)?;
        let user = bytes.array("user id").map(u64::from_be_bytes)?;
        let key = match store {
            ACCOUNTS => RowKey::Account { user },
            ORDERS => RowKey::Order { user, order: bytes.array("order id").map(u64::from_be_bytes)? },
            REFERENCES => {
                let kind = match bytes.u8("reference kind")? {
                    0 => ReferenceKind::Deposit,
                    1 => ReferenceKind::Withdrawal,
                    other => {
                        return Err(FormatError::Unknown { what: "reference kind", value: other.into() });
                    }
                };
                let text = std::str::from_utf8(bytes.rest());
                let reference = text.map_err(|_| FormatError::NotText { what: "reference" })?.into();
                RowKey::Reference { user, kind, reference }
            }
            other => return Err(FormatError::Unknown { what: "store id", value: other.into() }),
        };
        bytes.end()?;
        Ok(key)
    }

    /// Writes the key.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            RowKey::Account { user } => [&ACCOUNTS.to_be_bytes()[..], &user.to_be_bytes()].concat(),
            RowKey::Order { user, order } => {
                [&ORDERS.to_be_bytes()[..], &user.to_be_bytes(), &order.to_be_bytes()].concat()
            }
            RowKey::Reference { user, kind, reference } => {
                let kind = [u8::from(*kind == ReferenceKind::Withdrawal)];
                [&REFERENCES.to_be_bytes()[..], &user.to_be_bytes(), &kind, reference.as_bytes()].concat()
            }
        }
    }

    /// Returns the store's id.
    pub(crate) fn store(&self) -> u16 {
        match self {
            RowKey::Account { .. } => ACCOUNTS,
            RowKey::Order { .. } => ORDERS,
            RowKey::Reference { .. } => REFERENCES,
        }
    }
}

/// Value of the store `accounts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) balance: i64,
    pub(crate) overdraft: i64,
    pub(crate) currency: Currency,
    pub(crate) status: Status,
    pub(crate) version: u64,
    pub(crate) total_credited: i64,
    pub(crate) total_debited: i64,
}

impl AccountRow {
    /// Reads a value.
    pub(crate) fn decode(value: &[u8]) -> Result<AccountRow, FormatError> {
        let mut bytes = Cursor::versioned(value, VERSION)?;
        let row = AccountRow {
            balance: bytes.i64("balance")?,
            overdraft: bytes.i64("overdraft")?,
            currency: Currency(bytes.array("currency")?),
            status: match bytes.u8("status")? {
                0 => Status::Open,
                1 => Status::Frozen,
                2 => Status::Closed,
                other => return Err(FormatError::Unknown { what: "status", value: other.into() }),
            },
            version: bytes.u64("version")?,
            total_credited: bytes.i64("total credited")?,
            total_debited: bytes.i64("total debited")?,
        };
        bytes.end()?;
        Ok(row)
    }
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderOutcome {
    Debited,
    AccountNotFound,
    InsufficientBalance,
    AccountFrozen,
    AccountClosed,
    CurrencyMismatch,
    OrderCancelled,
    CancellationRemembered,
    DebitedAndCancelled,
}

impl OrderOutcome {
    /// Returns the outcome of a number on disk.
    fn of(number: u8) -> Option<OrderOutcome> {
        Some(match number {
            0 => OrderOutcome::Debited,
            1 => OrderOutcome::AccountNotFound,
            2 => OrderOutcome::InsufficientBalance,
            3 => OrderOutcome::AccountFrozen,
            4 => OrderOutcome::AccountClosed,
            5 => OrderOutcome::CurrencyMismatch,
            6 => OrderOutcome::OrderCancelled,
            7 => OrderOutcome::CancellationRemembered,
            8 => OrderOutcome::DebitedAndCancelled,
            _ => return None,
        })
    }
}

/// Value of the store `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderRow {
    pub(crate) outcome: OrderOutcome,
    pub(crate) amount: i64,
    pub(crate) refunded: i64,
    pub(crate) refund_ids: Vec<Text>,
}

impl OrderRow {
    /// Reads a value.
    pub(crate) fn decode(value: &[u8]) -> Result<OrderRow, FormatError> {
        let mut bytes = Cursor::versioned(value, VERSION)?;
        let number = bytes.u8("outcome")?;
        let unknown = FormatError::Unknown { what: "order outcome", value: number.into() };
        let row = OrderRow {
            outcome: OrderOutcome::of(number).ok_or(unknown)?,
            amount: bytes.i64("amount")?,
            refunded: bytes.i64("refunded")?,
            refund_ids: bytes.list("refund ids", |bytes| bytes.text("refund id").map(Text::from))?,
        };
        bytes.end()?;
        Ok(row)
    }
}

/// Value of the store `references`; the only outcome is "applied".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReferenceRow {
    pub(crate) amount: i64,
}

impl ReferenceRow {
    /// Reads a value.
    pub(crate) fn decode(value: &[u8]) -> Result<ReferenceRow, FormatError> {
        let mut bytes = Cursor::versioned(value, VERSION)?;
        let row = ReferenceRow { amount: bytes.i64("amount")? };
        match bytes.u8("outcome")? {
            0 => bytes.end().map(|()| row),
            other => Err(FormatError::Unknown { what: "reference outcome", value: other.into() }),
        }
    }
}
