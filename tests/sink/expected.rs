//! The judge: folds the topic plainly, record by record, and compares with the tables, row by row.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cluster::committed;
use super::database::Database;

/// What PostgreSQL must hold, each table as sorted lines of text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) accounts: Vec<String>,
    pub(crate) changes: Vec<String>,
    pub(crate) orders: Vec<String>,
    pub(crate) rejections: Vec<String>,
}

#[derive(Default)]
struct Account {
    currency: String,
    overdraft: i64,
    balance: i64,
    credited: i64,
    debited: i64,
    status: &'static str,
    version: i64,
    at: (i32, i64),
}

struct Order {
    outcome: &'static str,
    amount: i64,
    reason: String,
    refunded: i64,
    cancelled: bool,
    at: (i32, i64),
}

#[derive(Default)]
struct Fold {
    accounts: BTreeMap<i64, Account>,
    orders: BTreeMap<(i64, i64), Order>,
    changes: Vec<String>,
    rejections: Vec<String>,
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Fold {
    fn add(&mut self, at: (i32, i64), event: &Value) {
        let (kind, payload) = (event["eventType"].as_str().expect("event type"), &event["payload"]);
        let user = number(&payload["userId"]);
        let order = (user, payload["orderId"].as_i64().unwrap_or_default());
        match kind {
            "DebitFailed" => {
                let (amount, reason) = (number(&payload["amountFen"]), text(&payload["reason"]));
                let new =
                    Order { outcome: "DEBIT_FAILED", amount, reason, refunded: 0, cancelled: false, at };
                assert!(self.orders.insert(order, new).is_none(), "two outcomes");
                return;
            }
            "CommandRejected" => {
                self.rejections.push(format!(
                    "{}|{}|{}|{user}|{}|{}|{}",
                    at.0,
                    at.1,
                    text(&event["eventId"]),
                    text(&payload["command"]),
                    text(&payload["reason"]),
                    text(&payload["reference"]),
                ));
                return;
            }
            _ => {}
        }
        self.change(at, event, kind, order);
    }

    fn change(&mut self, at: (i32, i64), event: &Value, kind: &str, order: (i64, i64)) {
        let (user, payload) = (order.0, &event["payload"]);
        let account = self.accounts.entry(user).or_default();
        account.version = number(&payload["accountVersion"]);
        account.at = at;
        match kind {
            "AccountFrozen" => account.status = "FROZEN",
            "AccountUnfrozen" => account.status = "OPEN",
            "AccountClosed" => account.status = "CLOSED",
            "AccountOpened" => {
                account.status = "OPEN";
                account.currency = text(&payload["currency"]);
                account.overdraft = number(&payload["overdraftFen"]);
            }
            _ => {
                if account.version == 1 {
                    account.status = "OPEN";
                    account.currency = text(&payload["currency"]);
                }
                let (delta, after) = (number(&payload["deltaFen"]), number(&payload["balanceAfterFen"]));
                account.balance += delta;
                assert_eq!(account.balance, after, "the generator's own sums");
                if delta > 0 {
                    account.credited += delta
                } else {
                    account.debited -= delta
                }
                self.changes.push(format!(
                    "{}|{}|{}|{kind}|{user}|{delta}|{after}|{}|{}|{}|{}|{}",
                    at.0,
                    at.1,
                    text(&event["eventId"]),
                    account.version,
                    text(&payload["orderId"]),
                    text(&payload["refundId"]),
                    text(&payload["reference"]),
                    number(&event["source"]["offset"]),
                ));
                if kind == "AccountDebited" && order.1 != 0 {
                    let (amount, reason) = (-delta, String::new());
                    let new = Order { outcome: "DEBITED", amount, reason, refunded: 0, cancelled: false, at };
                    assert!(self.orders.insert(order, new).is_none(), "two outcomes");
                }
                if kind == "AccountRefunded" {
                    let order = self.orders.get_mut(&order).expect("refund of a debited order");
                    order.refunded += delta;
                    order.cancelled |= payload["refundId"].is_null();
                    order.at = at;
                }
            }
        }
    }

    fn tables(self) -> Tables {
        let accounts = self.accounts.iter().map(|(user, a)| {
            format!(
                "{user}|{user}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
                a.currency,
                a.overdraft,
                a.balance,
                a.credited,
                a.debited,
                a.status,
                a.version,
                a.at.0,
                a.at.1
            )
        });
        let orders = self.orders.iter().map(|((user, order), o)| {
            format!(
                "{user}|{order}|{}|{}|{}|{}|{}|{}|{}",
                o.outcome, o.amount, o.reason, o.refunded, o.cancelled, o.at.0, o.at.1
            )
        });
        let mut tables = Tables {
            accounts: accounts.collect(),
            changes: self.changes,
            orders: orders.collect(),
            rejections: self.rejections,
        };
        for table in [&mut tables.accounts, &mut tables.changes, &mut tables.orders, &mut tables.rejections] {
            table.sort();
        }
        tables
    }
}

/// What the tables must hold according to the topic; records that are no JSON objects count for nothing.
pub(crate) fn from_topic(topic: &str, partitions: i32) -> Tables {
    let mut fold = Fold::default();
    for found in committed(topic, partitions) {
        let value = found.value.as_deref().map(serde_json::from_slice::<Value>);
        if let Some(Ok(event)) = value {
            fold.add((found.partition, found.offset), &event);
        }
    }
    fold.tables()
}

/// What the tables hold.
pub(crate) async fn from_database(database: &Database) -> Tables {
    let sorted = async |columns: &str, table: &str| {
        let format = vec!["%s"; columns.split(',').count()].join("|");
        let mut rows = database.rows(&format!("SELECT format('{format}', {columns}) FROM {table}")).await;
        rows.sort();
        rows
    };
    Tables {
        accounts: sorted(
            "account_id, user_id, currency, overdraft_fen, balance_fen, total_credited_fen, total_debited_fen, \
             status, account_version, partition, \"offset\"",
            "accounts",
        )
        .await,
        changes: sorted(
            "partition, \"offset\", event_id, kind, account_id, delta_fen, balance_after_fen, account_version, \
             order_id, refund_id, reference, source_offset",
            "balance_changes",
        )
        .await,
        orders: sorted(
            "user_id, order_id, outcome, amount_fen, reason, refunded_fen, (CASE WHEN cancelled THEN 'true' ELSE \
             'false' END), partition, \"offset\"",
            "orders",
        )
        .await,
        rejections: sorted(
            "partition, \"offset\", event_id, user_id, command, reason, reference",
            "command_rejections",
        )
        .await,
    }
}

/// Fails with the first difference between topic and database, or when there is nothing to compare.
pub(crate) async fn assert_exact(topic: &str, partitions: i32, database: &Database) -> usize {
    let (expected, found) = (from_topic(topic, partitions), from_database(database).await);
    for (name, expected, found) in [
        ("accounts", &expected.accounts, &found.accounts),
        ("balance_changes", &expected.changes, &found.changes),
        ("orders", &expected.orders, &found.orders),
        ("command_rejections", &expected.rejections, &found.rejections),
    ] {
        assert!(!expected.is_empty(), "{name}: nothing to compare");
        assert_eq!(expected.len(), found.len(), "{name}: number of rows");
        for (expected, found) in expected.iter().zip(found) {
            assert_eq!(expected, found, "{name}");
        }
    }
    expected.changes.len()
}
