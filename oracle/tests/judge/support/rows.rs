//! The sink's rows of a list of outputs, as SQL.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::{Output, event_id};

/// Rows per statement.
const CHUNK: usize = 2_000;

/// Rows as SQL tuples.
#[derive(Default)]
pub(crate) struct Rows {
    changes: Vec<String>,
    rejections: Vec<String>,
    account_rows: Vec<String>,
    order_rows: Vec<String>,
    accounts: BTreeMap<u64, Account>,
    orders: BTreeMap<(u64, u64), Order>,
}

struct Account {
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
    currency: &'static str,
    reason: String,
    refunded: i64,
    cancelled: bool,
    at: (i32, i64),
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        Value::Number(number) => number.to_string(),
        _ => "NULL".to_owned(),
    }
}

impl Rows {
    /// Folds outputs (with their offsets), all of one timestamp and in CNY.
    pub(crate) fn of<'a>(
        app: &str,
        outputs: &[(i64, Output)],
        ms: i64,
        topic: impl Fn(&'static str) -> &'a str,
    ) -> Rows {
        let time = format!("'epoch'::timestamptz + interval '{ms} ms'");
        let mut rows = Rows::default();
        for (offset, output) in outputs {
            let payload: Value = serde_json::from_str(&output.payload).unwrap();
            let source_topic = topic(output.source.0);
            let id = event_id(app, source_topic, output);
            let (partition, user, kind) = (output.partition, output.user, output.kind);
            let tail = format!("'{source_topic}', {partition}, {}, {time})", output.source.1);
            let field = |name: &str| quoted(&payload[name]);
            if payload["deltaFen"].is_i64() {
                rows.changes.push(format!(
                    "({partition}, {offset}, '{id}', '{kind}', {user}, {user}, {}, {}, 'CNY', {}, {}, {}, {}, {tail}",
                    field("deltaFen"), field("balanceAfterFen"), field("accountVersion"), field("orderId"),
                    field("refundId"), field("reference"),
                ));
            }
            if kind == "CommandRejected" {
                rows.rejections.push(format!(
                    "({partition}, {offset}, '{id}', {user}, {}, {}, {}, {}, {}, {tail}",
                    field("command"),
                    field("reason"),
                    field("reference"),
                    field("refundId"),
                    field("orderId"),
                ));
            }
            rows.account(output, *offset, &payload);
            rows.order(output, *offset, &payload);
        }
        rows.finish(&time)
    }

    fn account(&mut self, output: &Output, offset: i64, payload: &Value) {
        let Some(version) = payload["accountVersion"].as_i64() else { return };
        let new = Account {
            overdraft: 0,
            balance: 0,
            credited: 0,
            debited: 0,
            status: "OPEN",
            version: 0,
            at: (0, 0),
        };
        let account = self.accounts.entry(output.user).or_insert(new);
        account.version = version;
        account.at = (output.partition, offset);
        account.overdraft = payload["overdraftFen"].as_i64().unwrap_or(account.overdraft);
        match output.kind {
            "AccountFrozen" => account.status = "FROZEN",
            "AccountClosed" => account.status = "CLOSED",
            _ => {}
        }
        let delta = payload["deltaFen"].as_i64().unwrap_or(0);
        account.balance += delta;
        account.credited += delta.max(0);
        account.debited -= delta.min(0);
    }

    fn order(&mut self, output: &Output, offset: i64, payload: &Value) {
        let Some(order) = payload["orderId"].as_u64() else { return };
        let (key, at) = ((output.user, order), (output.partition, offset));
        let (reason, refunded, cancelled) = ("NULL".to_owned(), 0, false);
        match output.kind {
            "AccountDebited" => {
                let (outcome, amount) = ("DEBITED", -payload["deltaFen"].as_i64().unwrap());
                let currency = "'CNY'";
                self.orders.insert(key, Order { outcome, amount, currency, reason, refunded, cancelled, at });
            }
            "DebitFailed" => {
                let (outcome, amount) = ("DEBIT_FAILED", payload["amountFen"].as_i64().unwrap());
                let (currency, reason) = ("NULL", quoted(&payload["reason"]));
                self.orders.insert(key, Order { outcome, amount, currency, reason, refunded, cancelled, at });
            }
            "AccountRefunded" => {
                let known = self.orders.get_mut(&key).unwrap();
                known.refunded = payload["refundedTotalFen"].as_i64().unwrap();
                known.cancelled |= payload["refundId"].is_null();
                known.at = at;
            }
            _ => {}
        }
    }

    fn finish(self, time: &str) -> Rows {
        let mut rows = Rows { changes: self.changes, rejections: self.rejections, ..Rows::default() };
        let account = |(user, row): (u64, Account)| {
            let Account { overdraft, balance, credited, debited, status, version, at: (partition, offset) } =
                row;
            format!(
                "({user}, {user}, 'CNY', {overdraft}, {balance}, {credited}, {debited}, '{status}', {version}, \
                 {partition}, {offset}, {time})"
            )
        };
        let order = |((user, order), row): ((u64, u64), Order)| {
            let Order { outcome, amount, currency, reason, refunded, cancelled, at: (partition, offset) } =
                row;
            format!(
                "({user}, {order}, '{outcome}', {amount}, {currency}, {reason}, {refunded}, {cancelled}, {partition}, \
                 {offset}, {time}, {time})"
            )
        };
        rows.account_rows = self.accounts.into_iter().map(account).collect();
        rows.order_rows = self.orders.into_iter().map(order).collect();
        rows
    }

    /// Returns INSERT statements.
    pub(crate) fn statements(&self) -> impl Iterator<Item = String> + '_ {
        let insert = |(table, rows): (&'static str, &'_ [String])| -> Vec<String> {
            rows.chunks(CHUNK).map(|rows| format!("INSERT INTO {table} VALUES {}", rows.join(","))).collect()
        };
        let tables: [(&'static str, &[String]); 4] = [
            ("balance_changes", &self.changes),
            ("command_rejections", &self.rejections),
            ("accounts", &self.account_rows),
            ("orders", &self.order_rows),
        ];
        tables.into_iter().flat_map(insert)
    }
}
