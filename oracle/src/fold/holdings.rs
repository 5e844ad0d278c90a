//! Everything that one user has: the account, the orders, the references.

use std::collections::BTreeMap;

use crate::disk::{AccountRow, OrderRow, ReferenceKind};
use crate::event::Text;

/// State of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) account: Option<AccountRow>,
    pub(crate) orders: BTreeMap<u64, OrderRow>,
    /// Applied references and their amounts.
    pub(crate) references: BTreeMap<(ReferenceKind, Text), i64>,
}

/// What an accepted input changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) account: Option<AccountRow>,
    pub(crate) order: Option<(u64, OrderRow)>,
    pub(crate) reference: Option<(ReferenceKind, Text, i64)>,
}

impl Holdings {
    /// Applies what was decided.
    pub(crate) fn accept(&mut self, update: Update) {
        if let Some(account) = update.account {
            self.account = Some(account);
        }
        if let Some((order, row)) = update.order {
            self.orders.insert(order, row);
        }
        if let Some((kind, reference, amount)) = update.reference {
            self.references.insert((kind, reference), amount);
        }
    }
}
