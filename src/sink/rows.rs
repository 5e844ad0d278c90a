//! What a batch comes to: at most one row per key, in the order of the keys.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::dead_letter::Letter;
use super::event::{Source, Text};
use super::kinds::AccountStatus;

/// A table the sink writes rows to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Accounts,
    BalanceChanges,
    Orders,
    CommandRejections,
    DeadLetters,
}

impl Table {
    /// All tables, in the order they are written.
    pub(super) const ALL: [Self; 5] =
        [Self::Accounts, Self::BalanceChanges, Self::Orders, Self::CommandRejections, Self::DeadLetters];

    /// Returns the name in the database.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::BalanceChanges => "balance_changes",
            Self::Orders => "orders",
            Self::CommandRejections => "command_rejections",
            Self::DeadLetters => "dead_letters",
        }
    }

    /// Whether a broken constraint of the table means that money does not add up.
    pub(super) fn holds_money(self) -> bool {
        match self {
            Self::Accounts | Self::BalanceChanges | Self::Orders => true,
            Self::CommandRejections | Self::DeadLetters => false,
        }
    }
}

/// The position of an event and what all its rows have in common.
#[derive(Debug, Clone)]
pub(super) struct Origin<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) event_id: Text<'a>,
    pub(super) occurred_at: Text<'a>,
    pub(super) source: Source<'a>,
    pub(super) user_id: i64,
}

/// How one account changes in this batch, from `first_version - 1` to `last_version`.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) account_id: i64,
    pub(super) user_id: i64,
    pub(super) first_version: i64,
    pub(super) last_version: i64,
    /// Currency and overdraft, when the account comes into being in this batch.
    pub(super) terms: Option<(Text<'a>, i64)>,
    /// Currency of the balance changes, when there were any; must be the account's.
    pub(super) currency: Option<Text<'a>>,
    /// Balance after the last change, when there was one.
    pub(super) balance_fen: Option<i64>,
    pub(super) credited_fen: i64,
    pub(super) debited_fen: i64,
    pub(super) status: Option<AccountStatus>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) changed_at: Text<'a>,
}

/// One change of a balance.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) kind: &'static str,
    pub(super) account_id: i64,
    pub(super) delta_fen: i64,
    pub(super) balance_after_fen: i64,
    pub(super) currency: Text<'a>,
    pub(super) account_version: i64,
    pub(super) order_id: Option<i64>,
    pub(super) refund_id: Option<Text<'a>>,
    pub(super) reference: Option<Text<'a>>,
}

/// How an order was decided.
#[derive(Debug)]
pub(super) enum Decision<'a> {
    Debited { amount_fen: i64, currency: Text<'a> },
    Failed { amount_fen: i64, reason: Text<'a> },
}

/// How one order changes in this batch.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) user_id: i64,
    pub(super) order_id: i64,
    /// The decision and its time, when it falls into this batch; else the order must be stored already.
    pub(super) decision: Option<(Decision<'a>, Text<'a>)>,
    /// Refunded before this batch, as the first refund in it implies; 0 without one.
    pub(super) refunded_before_fen: i64,
    /// Refunded in all after this batch; equals `refunded_before_fen` without a refund.
    pub(super) refunded_fen: i64,
    pub(super) cancelled: bool,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) changed_at: Text<'a>,
}

/// One refused command.
#[derive(Debug)]
pub(super) struct RejectedCommand<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) command: Text<'a>,
    pub(super) reason: Text<'a>,
    pub(super) reference: Option<Text<'a>>,
    pub(super) refund_id: Option<Text<'a>>,
    pub(super) order_id: Option<i64>,
}

/// Everything one database transaction writes besides offsets.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    pub(super) accounts: BTreeMap<i64, Account<'a>>,
    pub(super) changes: Vec<Change<'a>>,
    pub(super) orders: BTreeMap<(i64, i64), Order<'a>>,
    pub(super) rejections: Vec<RejectedCommand<'a>>,
    pub(super) letters: Vec<Letter<'a>>,
}

impl Rows<'_> {
    /// Returns how many rows go to `table`.
    pub(super) fn count(&self, table: Table) -> usize {
        match table {
            Table::Accounts => self.accounts.len(),
            Table::BalanceChanges => self.changes.len(),
            Table::Orders => self.orders.len(),
            Table::CommandRejections => self.rejections.len(),
            Table::DeadLetters => self.letters.len(),
        }
    }
}

/// What is stored, or what the log says, contradicts an invariant of money: the sink stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table} {row}: {what}")]
pub(super) struct Violation {
    pub(super) table: &'static str,
    pub(super) row: String,
    pub(super) what: Cow<'static, str>,
}
