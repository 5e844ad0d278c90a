//! The payloads of the input events, field by field in the order of checking.

use super::fields::Fields;
use crate::code::Code;
use crate::event::{Body, Currency};
use crate::json::Node;
use crate::place::Side;

/// Event types that the ledger reads, by topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    OrderCreated,
    OrderPaid,
    OrderCancelled,
    OrderRefundRequested,
    OpenAccount,
    DepositFunds,
    WithdrawFunds,
    FreezeAccount,
    UnfreezeAccount,
    CloseAccount,
}

impl Kind {
    /// Returns the kind of an event type on a topic; `None` when it is unknown there.
    pub(super) fn of(side: Side, name: &str) -> Option<Kind> {
        match (side, name) {
            (Side::Orders, "OrderCreated") => Some(Kind::OrderCreated),
            (Side::Orders, "OrderPaid") => Some(Kind::OrderPaid),
            (Side::Orders, "OrderCancelled") => Some(Kind::OrderCancelled),
            (Side::Orders, "OrderRefundRequested") => Some(Kind::OrderRefundRequested),
            (Side::Commands, "OpenAccount") => Some(Kind::OpenAccount),
            (Side::Commands, "DepositFunds") => Some(Kind::DepositFunds),
            (Side::Commands, "WithdrawFunds") => Some(Kind::WithdrawFunds),
            (Side::Commands, "FreezeAccount") => Some(Kind::FreezeAccount),
            (Side::Commands, "UnfreezeAccount") => Some(Kind::UnfreezeAccount),
            (Side::Commands, "CloseAccount") => Some(Kind::CloseAccount),
            _ => None,
        }
    }
}

/// Reads a payload: its user and what it asks for (rule 12).
pub(super) fn read(kind: Kind, payload: &Node<'_>) -> Result<(u64, Body), Code> {
    let fields = Fields(payload);
    match kind {
        Kind::OrderCreated => order_created(&fields),
        Kind::OrderPaid => {
            let user = fields.id("userId")?;
            fields.id("orderId")?;
            Ok((user, Body::OrderPaid))
        }
        Kind::OrderCancelled => {
            let (order, user) = (fields.id("orderId")?, fields.id("userId")?);
            fields.optional_text("reason")?;
            Ok((user, Body::OrderCancelled { order }))
        }
        Kind::OrderRefundRequested => {
            let (order, user) = (fields.id("orderId")?, fields.id("userId")?);
            let (refund, amount) = (fields.text("refundId")?, fields.amount("amountFen")?);
            Ok((user, Body::OrderRefundRequested { order, refund, amount }))
        }
        Kind::OpenAccount => {
            let user = fields.id("userId")?;
            let currency = fields.optional_currency("currency")?.unwrap_or(Currency::DEFAULT);
            let overdraft = fields.optional_amount_from_zero("overdraftFen")?.unwrap_or(0);
            Ok((user, Body::OpenAccount { currency, overdraft }))
        }
        Kind::DepositFunds | Kind::WithdrawFunds => funds(kind, &fields),
        Kind::FreezeAccount | Kind::UnfreezeAccount | Kind::CloseAccount => {
            let user = fields.id("userId")?;
            let reason = fields.optional_text("reason")?;
            let body = match kind {
                Kind::FreezeAccount => Body::FreezeAccount { reason },
                Kind::UnfreezeAccount => Body::UnfreezeAccount { reason },
                _ => Body::CloseAccount { reason },
            };
            Ok((user, body))
        }
    }
}

fn order_created(fields: &Fields<'_, '_>) -> Result<(u64, Body), Code> {
    let order = fields.id("orderId")?;
    fields.text("orderNo")?;
    let user = fields.id("userId")?;
    let amount = fields.amount("amountFen")?;
    let currency = fields.optional_currency("currency")?;
    fields.items("items")?;
    fields.optional_text("idempotencyKey")?;
    Ok((user, Body::OrderCreated { order, amount, currency }))
}

fn funds(kind: Kind, fields: &Fields<'_, '_>) -> Result<(u64, Body), Code> {
    let user = fields.id("userId")?;
    let amount = fields.amount("amountFen")?;
    let currency = fields.optional_currency("currency")?;
    let reference = fields.text("reference")?;
    let body = match kind {
        Kind::DepositFunds => Body::DepositFunds { amount, currency, reference },
        _ => Body::WithdrawFunds { amount, currency, reference },
    };
    Ok((user, body))
}
