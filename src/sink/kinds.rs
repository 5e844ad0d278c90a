//! The event types of `account.events`, each with the fields it must have.

use super::event::{Envelope, Payload, Source, Text, object};

/// Why a record cannot be understood: a stable code and a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Rejection {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// One understood event.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) event_id: Text<'a>,
    pub(super) occurred_at: Text<'a>,
    pub(super) source: Source<'a>,
    pub(super) user_id: i64,
    pub(super) kind: Kind<'a>,
}

/// What happened. Amounts in fen.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// The record of an account changed.
    Account { account_id: i64, version: i64, change: AccountChange<'a> },
    /// An order was not debited; no account changed.
    DebitFailed { order_id: i64, amount_fen: i64, reason: Text<'a> },
    /// A command was refused; no account changed.
    CommandRejected {
        command: Text<'a>,
        reason: Text<'a>,
        reference: Option<Text<'a>>,
        refund_id: Option<Text<'a>>,
        order_id: Option<i64>,
    },
}

/// How an account changed.
#[derive(Debug)]
pub(super) enum AccountChange<'a> {
    /// It came into being without money.
    Opened { currency: Text<'a>, overdraft_fen: i64 },
    /// Its status is now another.
    Status(AccountStatus),
    /// Its balance moved.
    Balance { delta_fen: i64, balance_after_fen: i64, currency: Text<'a>, cause: Cause<'a> },
}

/// Status of an account, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountStatus {
    Open,
    Frozen,
    Closed,
}

impl AccountStatus {
    /// Returns the word in the column `status`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Frozen => "FROZEN",
            Self::Closed => "CLOSED",
        }
    }
}

/// Why a balance moved.
#[derive(Debug)]
pub(super) enum Cause<'a> {
    Credit { reference: Text<'a> },
    Order { order_id: i64 },
    Withdrawal { reference: Text<'a> },
    Refund { order_id: i64, refund_id: Option<Text<'a>>, refunded_total_fen: i64 },
}

/// Decodes the value of a record of `account.events`.
pub(super) fn decode(value: Option<&[u8]>) -> Result<Event<'_>, Rejection> {
    let bytes = value.ok_or_else(|| Rejection::new("NULL_VALUE", "the record has no value"))?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let envelope: Envelope<'_> = object(&mut json).map_err(|e| rejection(&e, bytes))?;
    json.end().map_err(|e| rejection(&e, bytes))?;
    let Envelope { event_type, event_id, occurred_at, source, payload } = envelope;
    if !is_timestamp(&occurred_at.0) {
        return Err(bad("occurredAt is not an RFC 3339 time in UTC"));
    }
    if uuid::Uuid::try_parse(&event_id.0).is_err() {
        return Err(bad("eventId is not a UUID"));
    }
    let user_id = id(payload.user_id, "userId")?;
    let kind = kind(&event_type.0, payload)?;
    Ok(Event { event_id, occurred_at, source, user_id, kind })
}

fn kind<'a>(event_type: &str, payload: Payload<'a>) -> Result<Kind<'a>, Rejection> {
    match event_type {
        "DebitFailed" => Ok(Kind::DebitFailed {
            order_id: id(payload.order_id, "orderId")?,
            amount_fen: positive(payload.amount_fen, "amountFen")?,
            reason: required(payload.reason, "reason")?,
        }),
        "CommandRejected" => Ok(Kind::CommandRejected {
            command: required(payload.command, "command")?,
            reason: required(payload.reason, "reason")?,
            reference: payload.reference,
            refund_id: payload.refund_id,
            order_id: payload.order_id,
        }),
        _ => {
            let account_id = id(payload.account_id, "accountId");
            let version = positive(payload.account_version, "accountVersion");
            // The type first: of an unknown one nothing can be required.
            let change = account_change(event_type, payload)?;
            Ok(Kind::Account { account_id: account_id?, version: version?, change })
        }
    }
}

fn account_change<'a>(event_type: &str, payload: Payload<'a>) -> Result<AccountChange<'a>, Rejection> {
    match event_type {
        "AccountOpened" => Ok(AccountChange::Opened {
            currency: required(payload.currency, "currency")?,
            overdraft_fen: required(payload.overdraft_fen, "overdraftFen")?,
        }),
        "AccountFrozen" => Ok(AccountChange::Status(AccountStatus::Frozen)),
        "AccountUnfrozen" => Ok(AccountChange::Status(AccountStatus::Open)),
        "AccountClosed" => Ok(AccountChange::Status(AccountStatus::Closed)),
        "AccountCredited" => {
            let cause = Cause::Credit { reference: required(payload.reference.clone(), "reference")? };
            balance(payload, i64::is_positive, cause)
        }
        "AccountDebited" => {
            let cause = match (payload.order_id, payload.reference.clone()) {
                (Some(order), None) => Cause::Order { order_id: id(Some(order), "orderId")? },
                (None, Some(reference)) => Cause::Withdrawal { reference },
                (None, None) => return Err(missing("orderId or reference")),
                (Some(_), Some(_)) => return Err(bad("both orderId and reference")),
            };
            balance(payload, i64::is_negative, cause)
        }
        "AccountRefunded" => {
            let cause = Cause::Refund {
                order_id: id(payload.order_id, "orderId")?,
                refund_id: payload.refund_id.clone(),
                refunded_total_fen: positive(payload.refunded_total_fen, "refundedTotalFen")?,
            };
            balance(payload, i64::is_positive, cause)
        }
        other => Err(Rejection::new("UNKNOWN_EVENT_TYPE", format!("event type {other:?}"))),
    }
}

fn balance<'a>(
    payload: Payload<'a>,
    has_right_sign: fn(i64) -> bool,
    cause: Cause<'a>,
) -> Result<AccountChange<'a>, Rejection> {
    let delta_fen = required(payload.delta_fen, "deltaFen")?;
    // i64::MIN has no counterpart: its amount could not be added to a total.
    if !has_right_sign(delta_fen) || delta_fen == i64::MIN {
        return Err(bad(format!("deltaFen {delta_fen} has the wrong sign for the event type")));
    }
    Ok(AccountChange::Balance {
        delta_fen,
        balance_after_fen: required(payload.balance_after_fen, "balanceAfterFen")?,
        currency: required(payload.currency, "currency")?,
        cause,
    })
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, Rejection> {
    field.ok_or_else(|| missing(name))
}

fn id(field: Option<i64>, name: &str) -> Result<i64, Rejection> {
    positive(field, name)
}

fn positive(field: Option<i64>, name: &str) -> Result<i64, Rejection> {
    match required(field, name)? {
        number if number >= 1 => Ok(number),
        number => Err(bad(format!("{name} is {number}, below 1"))),
    }
}

fn missing(name: &str) -> Rejection {
    Rejection::new("MISSING_FIELD", format!("{name} is missing"))
}

fn bad(message: impl Into<String>) -> Rejection {
    Rejection::new("BAD_FIELD", message)
}

/// Whether `text` looks like `2026-11-20T09:12:34.123Z`. PostgreSQL checks the calendar, but would also take
/// words like `now`, which must not get that far.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let fraction = match bytes.get(19..) {
        Some([b'Z']) => return shaped,
        Some([b'.', digits @ .., b'Z']) => digits,
        _ => return false,
    };
    shaped && (1..=9).contains(&fraction.len()) && fraction.iter().all(u8::is_ascii_digit)
}

/// Gives serde's error its code. The wording it goes by is pinned by a test.
fn rejection(error: &serde_json::Error, bytes: &[u8]) -> Rejection {
    use serde_json::error::Category;
    let message = error.to_string();
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let code = match error.classify() {
        Category::Io | Category::Syntax | Category::Eof => "NOT_JSON",
        Category::Data if first != Some(&b'{') => "NOT_AN_OBJECT",
        Category::Data if message.starts_with("missing field") => "MISSING_FIELD",
        Category::Data if message.starts_with("duplicate field") => "DUPLICATE_FIELD",
        Category::Data => "BAD_FIELD",
    };
    Rejection::new(code, message)
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
