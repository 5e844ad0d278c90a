//! The read model of accounts and orders, folded from one user's outputs.

use std::collections::BTreeMap;

use crate::event::{Change, Event, Output, Purpose, Status};
use crate::postgres::{AccountRow, OrderRow};

/// Turns a number of the events into one of PostgreSQL; ids and versions fit, or nothing would agree anyway.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the row that one user's outputs lead to.
pub(super) fn account<'a>(outputs: impl Iterator<Item = &'a Output>) -> Option<AccountRow> {
    let mut account: Option<AccountRow> = None;
    for output in outputs {
        let (Some(version), user) = (output.event.version(), signed(output.user)) else { continue };
        let row = account.get_or_insert_with(|| AccountRow {
            user,
            currency: String::new(),
            overdraft: 0,
            balance: 0,
            total_credited: 0,
            total_debited: 0,
            status: "OPEN".to_owned(),
            version: 0,
            at: (0, 0),
            changed_ms: 0,
        });
        row.version = signed(version);
        row.at = (output.partition, output.offset);
        row.changed_ms = output.timestamp_ms;
        match &output.event {
            Event::Opened { currency, overdraft, .. } => {
                row.currency = currency.to_string();
                row.overdraft = *overdraft;
            }
            Event::Became { status, .. } => {
                row.status = match status {
                    Status::Open => "OPEN",
                    Status::Frozen => "FROZEN",
                    Status::Closed => "CLOSED",
                }
                .to_owned();
            }
            _ => {}
        }
        if let Some(change) = output.event.change() {
            row.currency = change.currency.to_string();
            row.balance = change.balance_after;
            row.total_credited = row.total_credited.saturating_add(change.delta.max(0));
            row.total_debited = row.total_debited.saturating_sub(change.delta.min(0));
        }
    }
    account
}

/// Returns the rows of one user's orders, in the order of their ids.
pub(super) fn orders<'a>(outputs: impl Iterator<Item = &'a Output>) -> Vec<OrderRow> {
    let mut orders: BTreeMap<u64, OrderRow> = BTreeMap::new();
    for output in outputs {
        let at = (output.partition, output.offset);
        match &output.event {
            Event::Debited { purpose: Purpose::Order(order), change } => {
                let row = decided(output, *order, change.delta.saturating_neg());
                let currency = Some(change.currency.to_string());
                orders.insert(*order, OrderRow { currency, ..row });
            }
            Event::DebitFailed { order, amount, reason, .. } => {
                let row = decided(output, *order, *amount);
                let reason = Some(reason.to_string());
                orders.insert(*order, OrderRow { outcome: "DEBIT_FAILED".to_owned(), reason, ..row });
            }
            Event::Refunded { order, refund, refunded_total, change: Change { .. } } => {
                if let Some(row) = orders.get_mut(order) {
                    row.refunded = *refunded_total;
                    row.cancelled |= refund.is_none();
                    row.at = at;
                    row.changed_ms = output.timestamp_ms;
                }
            }
            _ => {}
        }
    }
    orders.into_values().collect()
}

fn decided(output: &Output, order: u64, amount: i64) -> OrderRow {
    OrderRow {
        key: (signed(output.user), signed(order)),
        outcome: "DEBITED".to_owned(),
        amount,
        currency: None,
        reason: None,
        refunded: 0,
        cancelled: false,
        at: (output.partition, output.offset),
        decided_ms: output.timestamp_ms,
        changed_ms: output.timestamp_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::{account, orders};
    use crate::event::{Change, Currency, Event, Output, Purpose, Status};
    use crate::place::{Place, Side};

    fn outputs() -> Vec<Output> {
        let change = |delta, balance_after, version| Change {
            delta,
            balance_after,
            currency: Currency::DEFAULT,
            version,
        };
        let failed =
            Event::DebitFailed { order: 2, amount: 9, reason: "ACCOUNT_FROZEN".into(), balance: Some(5) };
        let refund = |refund: Option<&str>, refunded_total, change| Event::Refunded {
            order: 1,
            refund: refund.map(Box::from),
            refunded_total,
            change,
        };
        let events = [
            Event::Credited { reference: "a".into(), change: change(8, 8, 1) },
            Event::Debited { purpose: Purpose::Order(1), change: change(-3, 5, 2) },
            Event::Became { status: Status::Frozen, reason: None, version: 3 },
            failed,
            refund(Some("r"), 1, change(1, 6, 4)),
            refund(None, 3, change(2, 8, 5)),
        ];
        let output = |(offset, event)| Output {
            partition: 2,
            offset,
            timestamp_ms: 100 + offset,
            source: Place { side: Side::Orders, partition: 2, offset },
            user: 7,
            trace: None,
            event,
        };
        (0..).zip(events).map(output).collect()
    }

    #[test]
    fn an_account_follows_its_events() {
        let row = account(outputs().iter()).unwrap();
        assert_eq!((row.balance, row.total_credited, row.total_debited), (8, 11, 3));
        assert_eq!((row.status.as_str(), row.version, row.at, row.changed_ms), ("FROZEN", 5, (2, 5), 105));
        assert_eq!((row.currency.as_str(), row.overdraft), ("CNY", 0));
        assert_eq!(account(std::iter::empty()), None);
    }

    #[test]
    fn an_order_follows_its_events() {
        let rows = orders(outputs().iter());
        assert_eq!(rows.len(), 2);
        let (first, second) = (&rows[0], &rows[1]);
        assert_eq!(
            (first.key, first.outcome.as_str(), first.amount, first.refunded),
            ((7, 1), "DEBITED", 3, 3)
        );
        assert!(first.cancelled && first.decided_ms == 101 && first.changed_ms == 105 && first.at == (2, 5));
        assert_eq!(
            (second.outcome.as_str(), second.reason.as_deref()),
            ("DEBIT_FAILED", Some("ACCOUNT_FROZEN"))
        );
    }
}
