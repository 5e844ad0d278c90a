//! Events of `order.events`.

use std::borrow::Cow;

use millpond_topology::{DecodeError, Deserializer};

use super::document::{Document, Payload};
use super::fault::Fault;
use crate::ids::{OrderId, UserId};
use crate::money::{Amount, Currency};

/// An event of `order.events`, as far as the ledger needs it; fields that it does not need are checked and
/// left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEvent<'a> {
    /// An order is to be debited.
    Created {
        /// Who pays.
        user: UserId,
        /// The order.
        order: OrderId,
        /// What it costs.
        amount: Amount,
        /// The currency that the order names; `None` means the account's.
        currency: Option<Currency>,
    },
    /// The saga's answer to a debit; the ledger wrote that itself.
    Paid {
        /// Who paid.
        user: UserId,
        /// The order.
        order: OrderId,
    },
    /// An order is to be given back, or not to be debited when it comes.
    Cancelled {
        /// Who ordered.
        user: UserId,
        /// The order.
        order: OrderId,
    },
    /// A part of an order is to be given back.
    RefundRequested {
        /// Who ordered.
        user: UserId,
        /// The order.
        order: OrderId,
        /// Which refund of the order this is; each is applied once.
        refund_id: Cow<'a, str>,
        /// How much.
        amount: Amount,
    },
}

impl OrderEvent<'_> {
    /// Returns the user whose account is meant.
    #[must_use]
    pub fn user(&self) -> UserId {
        match *self {
            Self::Created { user, .. }
            | Self::Paid { user, .. }
            | Self::Cancelled { user, .. }
            | Self::RefundRequested { user, .. } => user,
        }
    }
}

/// Reads what is left of a payload once its event type is known.
type Read = for<'a> fn(&Payload<'a>) -> Result<OrderEvent<'a>, Fault>;

fn created<'a>(payload: &Payload<'a>) -> Result<OrderEvent<'a>, Fault> {
    let order = payload.order_id().order_id()?;
    payload.order_no().text()?;
    let user = payload.user_id().user_id()?;
    let amount = payload.amount().amount()?;
    let currency = payload.currency().optional_currency()?;
    payload.items()?;
    payload.idempotency_key().optional_text()?;
    Ok(OrderEvent::Created { user, order, amount, currency })
}

fn paid<'a>(payload: &Payload<'a>) -> Result<OrderEvent<'a>, Fault> {
    let user = payload.user_id().user_id()?;
    Ok(OrderEvent::Paid { user, order: payload.order_id().order_id()? })
}

fn cancelled<'a>(payload: &Payload<'a>) -> Result<OrderEvent<'a>, Fault> {
    let order = payload.order_id().order_id()?;
    let user = payload.user_id().user_id()?;
    payload.reason().optional_text()?;
    Ok(OrderEvent::Cancelled { user, order })
}

fn refund_requested<'a>(payload: &Payload<'a>) -> Result<OrderEvent<'a>, Fault> {
    let order = payload.order_id().order_id()?;
    let user = payload.user_id().user_id()?;
    let refund_id = payload.refund_id().text()?;
    Ok(OrderEvent::RefundRequested { user, order, refund_id, amount: payload.amount().amount()? })
}

fn reader_of(event_type: &str) -> Option<Read> {
    Some(match event_type {
        "OrderCreated" => created,
        "OrderPaid" => paid,
        "OrderCancelled" => cancelled,
        "OrderRefundRequested" => refund_requested,
        _ => return None,
    })
}

/// Decodes events of `order.events`.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderEventSerde;

impl Deserializer for OrderEventSerde {
    type Out<'a> = OrderEvent<'a>;

    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<OrderEvent<'a>, DecodeError> {
        let (read, payload) = Document::read(bytes)?.open(reader_of)?;
        Ok(read(&payload)?)
    }
}
