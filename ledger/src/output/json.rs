//! The JSON of an event: fields in the order of the contract's table, no white space.

use uuid::Uuid;

use super::event::{AccountEvent, Cause, Outgoing, Subject};
use crate::decimal::{push_i64, push_u64};
use crate::ids::UserId;
use crate::state::Account;
use crate::time::push_rfc3339_ms;

/// Appends `text` between quotes. Texts are printable ASCII, so these two are all that needs an escape.
fn push_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Writes the members of an object.
struct Members<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
}

impl<'o> Members<'o> {
    /// Opens an object.
    fn open(out: &'o mut Vec<u8>) -> Self {
        Self { out, separator: b'{' }
    }

    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out.extend_from_slice(&[self.separator, b'"']);
        self.separator = b',';
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn unsigned(&mut self, name: &'static str, number: u64) {
        push_u64(number, self.name(name));
    }

    fn signed(&mut self, name: &'static str, number: i64) {
        push_i64(number, self.name(name));
    }

    /// Writes a text that needs no escape: a name from a closed list, a currency, a topic.
    fn plain(&mut self, name: &'static str, text: &[u8]) {
        let out = self.name(name);
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    }

    fn text(&mut self, name: &'static str, text: &str) {
        push_text(text, self.name(name));
    }

    fn text_or_null(&mut self, name: &'static str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.name(name).extend_from_slice(b"null"),
        }
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

/// Appends the identity of an output, `topic/partition/offset/index`.
fn push_identity(outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
    let source = &outgoing.source;
    out.extend_from_slice(source.topic.as_bytes());
    out.push(b'/');
    push_u64(u64::from(source.partition), out);
    out.push(b'/');
    push_i64(source.offset, out);
    out.push(b'/');
    push_u64(u64::from(outgoing.index), out);
}

/// Returns the event's id. The end of `out` serves as scratch space and is given back.
fn event_id(namespace: &Uuid, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) -> Uuid {
    let start = out.len();
    push_identity(outgoing, out);
    let id = Uuid::new_v5(namespace, out.get(start..).unwrap_or_default());
    out.truncate(start);
    id
}

/// Appends the envelope with its payload.
pub(super) fn push(namespace: &Uuid, outgoing: &Outgoing<'_>, out: &mut Vec<u8>) {
    let id = event_id(namespace, outgoing, out);
    let mut envelope = Members::open(out);
    envelope.plain("eventType", outgoing.event.name().as_bytes());
    let mut hyphenated = [0; uuid::fmt::Hyphenated::LENGTH];
    envelope.plain("eventId", id.hyphenated().encode_lower(&mut hyphenated).as_bytes());
    let written = envelope.name("occurredAt");
    written.push(b'"');
    push_rfc3339_ms(outgoing.timestamp_ms, written);
    written.push(b'"');
    let mut source = Members::open(envelope.name("source"));
    source.text("topic", outgoing.source.topic);
    source.unsigned("partition", u64::from(outgoing.source.partition));
    source.signed("offset", outgoing.source.offset);
    source.close();
    push_payload(outgoing.user, &outgoing.event, Members::open(envelope.name("payload")));
    envelope.close();
}

fn account_and_user(user: UserId, payload: &mut Members<'_>) {
    // One account per user.
    payload.unsigned("accountId", user.get());
    payload.unsigned("userId", user.get());
}

fn currency_and_version(account: &Account, payload: &mut Members<'_>) {
    payload.plain("currency", account.currency.bytes());
    payload.unsigned("accountVersion", account.version);
}

fn push_payload(user: UserId, event: &AccountEvent<'_>, mut payload: Members<'_>) {
    match event {
        AccountEvent::Opened { account } => {
            account_and_user(user, &mut payload);
            payload.plain("currency", account.currency.bytes());
            payload.signed("overdraftFen", account.overdraft.get());
            payload.unsigned("accountVersion", account.version);
        }
        AccountEvent::Credited { account, reference, amount } => {
            account_and_user(user, &mut payload);
            payload.text("reference", reference);
            payload.signed("deltaFen", amount.fen().get());
            payload.signed("balanceAfterFen", account.balance.get());
            currency_and_version(account, &mut payload);
        }
        AccountEvent::Debited { account, cause, amount } => {
            account_and_user(user, &mut payload);
            match cause {
                Cause::Order(order) => payload.unsigned("orderId", order.get()),
                Cause::Withdrawal(reference) => payload.text("reference", reference),
            }
            payload.signed("deltaFen", amount.taken().get());
            payload.signed("balanceAfterFen", account.balance.get());
            currency_and_version(account, &mut payload);
        }
        AccountEvent::DebitFailed { order, amount, reason, balance } => {
            payload.unsigned("userId", user.get());
            payload.unsigned("orderId", order.get());
            payload.signed("amountFen", amount.fen().get());
            payload.plain("reason", reason.name().as_bytes());
            match balance {
                Some(balance) => payload.signed("balanceFen", balance.get()),
                None => payload.text_or_null("balanceFen", None),
            }
        }
        AccountEvent::Refunded { account, order, refund_id, amount, refunded_total } => {
            account_and_user(user, &mut payload);
            payload.unsigned("orderId", order.get());
            payload.text_or_null("refundId", *refund_id);
            payload.signed("deltaFen", amount.get());
            payload.signed("balanceAfterFen", account.balance.get());
            payload.signed("refundedTotalFen", refunded_total.get());
            currency_and_version(account, &mut payload);
        }
        AccountEvent::StatusChanged { account, reason } => {
            account_and_user(user, &mut payload);
            payload.text_or_null("reason", *reason);
            payload.unsigned("accountVersion", account.version);
        }
        AccountEvent::Rejected { command, subject, reason } => {
            payload.unsigned("userId", user.get());
            payload.plain("command", command.as_bytes());
            match subject {
                Subject::Account => {}
                Subject::Reference(reference) => payload.text("reference", reference),
                Subject::Refund { refund_id, order } => {
                    payload.text("refundId", refund_id);
                    payload.unsigned("orderId", order.get());
                }
            }
            payload.plain("reason", reason.name().as_bytes());
        }
    }
    payload.close();
}
