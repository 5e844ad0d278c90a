//! Inputs as tests write them: plain values, rendered to JSON.

use millpond_topology::OwnedRecord;
use serde_json::{Map, Value, json};

pub(crate) const ORDERS: &str = "order.events";
pub(crate) const COMMANDS: &str = "account.commands";

/// 2026-11-20T09:12:34.123Z.
pub(crate) const WALL_MS: i64 = 1_795_165_954_123;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Created {
        order: u64,
        amount: i64,
        currency: Option<&'static str>,
    },
    Paid {
        order: u64,
    },
    Cancelled {
        order: u64,
    },
    Refund {
        order: u64,
        refund: String,
        amount: i64,
    },
    Open {
        currency: Option<&'static str>,
        overdraft: Option<i64>,
    },
    Deposit {
        amount: i64,
        currency: Option<&'static str>,
        reference: String,
    },
    Withdraw {
        amount: i64,
        currency: Option<&'static str>,
        reference: String,
    },
    Freeze {
        reason: Option<&'static str>,
    },
    Unfreeze {
        reason: Option<&'static str>,
    },
    Close {
        reason: Option<&'static str>,
    },
    /// Bytes that are no event, with the reason that they get.
    Broken {
        topic: &'static str,
        value: &'static str,
        code: &'static str,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) user: u64,
    pub(crate) what: What,
}

impl Input {
    pub(crate) fn new(user: u64, what: What) -> Self {
        Self { user, what }
    }

    pub(crate) fn topic(&self) -> &'static str {
        match self.what {
            What::Created { .. } | What::Paid { .. } | What::Cancelled { .. } | What::Refund { .. } => ORDERS,
            What::Broken { topic, .. } => topic,
            _ => COMMANDS,
        }
    }

    pub(crate) fn event_type(&self) -> &'static str {
        match self.what {
            What::Created { .. } => "OrderCreated",
            What::Paid { .. } => "OrderPaid",
            What::Cancelled { .. } => "OrderCancelled",
            What::Refund { .. } => "OrderRefundRequested",
            What::Open { .. } => "OpenAccount",
            What::Deposit { .. } => "DepositFunds",
            What::Withdraw { .. } => "WithdrawFunds",
            What::Freeze { .. } => "FreezeAccount",
            What::Unfreeze { .. } => "UnfreezeAccount",
            What::Close { .. } => "CloseAccount",
            What::Broken { .. } => "Broken",
        }
    }

    fn value(&self) -> String {
        let mut payload = Map::new();
        let mut put = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        put("userId", json!(self.user));
        match &self.what {
            What::Broken { value, .. } => return (*value).to_owned(),
            What::Created { order, amount, currency } => {
                put("orderId", json!(order));
                put("orderNo", json!(format!("N{order}")));
                put("amountFen", json!(amount));
                put("currency", json!(currency));
            }
            What::Paid { order } | What::Cancelled { order } => {
                put("orderId", json!(order));
            }
            What::Refund { order, refund, amount } => {
                put("orderId", json!(order));
                put("refundId", json!(refund));
                put("amountFen", json!(amount));
            }
            What::Open { currency, overdraft } => {
                put("currency", json!(currency));
                put("overdraftFen", json!(overdraft));
            }
            What::Deposit { amount, currency, reference }
            | What::Withdraw { amount, currency, reference } => {
                put("amountFen", json!(amount));
                put("currency", json!(currency));
                put("reference", json!(reference));
            }
            What::Freeze { reason } | What::Unfreeze { reason } | What::Close { reason } => {
                put("reason", json!(reason));
            }
        }
        let id = format!("{}-{}", self.event_type(), self.user);
        let time = "2026-11-20T09:12:34Z";
        json!({"eventType": self.event_type(), "eventId": id, "occurredAt": time, "payload": payload})
            .to_string()
    }

    pub(crate) fn record(&self, timestamp_ms: i64) -> OwnedRecord {
        OwnedRecord {
            offset: 0,
            timestamp_ms,
            key: Some(self.user.to_string().into_bytes()),
            value: Some(self.value().into_bytes()),
            headers: Vec::new(),
        }
    }
}
