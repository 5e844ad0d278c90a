//! The pure half of the oracle, compiled without the servers' clients: what it makes of one record and of the
//! bytes of the formats, as plain values that a target compares with its own.
#![allow(dead_code, unused_imports, missing_docs)]

#[path = "../../../oracle/src/code.rs"]
mod code;
#[path = "../../../oracle/src/disk/mod.rs"]
mod disk;
#[path = "../../../oracle/src/event.rs"]
mod event;
#[path = "../../../oracle/src/json/mod.rs"]
mod json;
#[path = "../../../oracle/src/judge/mod.rs"]
mod judge;
#[path = "../../../oracle/src/murmur2.rs"]
mod murmur2;
#[path = "../../../oracle/src/place.rs"]
mod place;
#[path = "../../../oracle/src/time.rs"]
mod time;

use event::{Body, Currency};

/// A record as the oracle judges it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// From `order.events`, not `account.commands`.
    pub is_order: bool,
    pub partition: i32,
    pub partitions: i32,
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Returns what a good record asks for, one line of text, or the code of a bad one.
pub fn judge_record(record: &Record<'_>) -> Result<String, &'static str> {
    let side = if record.is_order { place::Side::Orders } else { place::Side::Commands };
    let Record { partition, partitions, timestamp_ms, key, value, .. } = *record;
    let candidate = judge::Candidate { side, partition, partitions, timestamp_ms, key, value };
    let (user, body) = judge::judge(&candidate).map_err(code::Code::name)?;
    Ok(format!("{} user={user} {}", body.name(), asked(&body)))
}

fn asked(body: &Body) -> String {
    let currency = |currency: &Option<Currency>| currency.map_or("-".to_owned(), |known| known.to_string());
    let reason = |reason: &Option<event::Text>| format!("reason={reason:?}");
    match body {
        Body::OrderCreated { order, amount, currency: named } => {
            format!("order={order} amount={amount} currency={}", currency(named))
        }
        Body::OrderPaid => String::new(),
        Body::OrderCancelled { order } => format!("order={order}"),
        Body::OrderRefundRequested { order, refund, amount } => {
            format!("order={order} refund={refund:?} amount={amount}")
        }
        Body::OpenAccount { currency, overdraft } => format!("currency={currency} overdraft={overdraft}"),
        Body::DepositFunds { amount, currency: named, reference }
        | Body::WithdrawFunds { amount, currency: named, reference } => {
            format!("amount={amount} currency={} reference={reference:?}", currency(named))
        }
        Body::FreezeAccount { reason: why }
        | Body::UnfreezeAccount { reason: why }
        | Body::CloseAccount { reason: why } => reason(why),
    }
}

/// Returns a marker's sequence, stream time and inputs; `None` when it is malformed.
pub fn marker(value: &[u8]) -> Option<(u64, i64, Vec<(String, i64)>)> {
    let marker = disk::Marker::decode(value).ok()?;
    let inputs = marker.inputs.into_iter().map(|input| (input.topic, input.next_offset)).collect();
    Some((marker.sequence, marker.stream_time_ms, inputs))
}

/// Returns application and position of a store's metadata; `None` when it is malformed.
pub fn metadata(value: &[u8]) -> Option<(String, i64)> {
    disk::Metadata::decode(value).ok().map(|metadata| (metadata.app, metadata.position))
}

/// Returns sequence, attempt and transactional id of a nonce; `None` when it is none.
pub fn nonce(text: &str) -> Option<(u64, u64, String)> {
    disk::Nonce::parse(text).map(|nonce| (nonce.sequence, nonce.attempt, nonce.transactional_id))
}

/// Says whether the oracle reads this changelog row: its key, and its value where it has one.
pub fn reads_row(key: &[u8], value: Option<&[u8]>) -> bool {
    let Ok(row) = disk::RowKey::decode(key) else { return false };
    let Some(value) = value else { return true };
    match row.store() {
        disk::ACCOUNTS => disk::AccountRow::decode(value).is_ok(),
        disk::ORDERS => disk::OrderRow::decode(value).is_ok(),
        _ => disk::ReferenceRow::decode(value).is_ok(),
    }
}

/// Says whether a text is a date and time of RFC 3339.
pub fn is_time(text: &str) -> bool {
    time::is_rfc3339(text)
}
