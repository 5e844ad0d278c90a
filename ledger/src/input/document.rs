//! A JSON text as an envelope with a payload: the fields are captured on the one pass over the text and
//! judged after.

use millpond_topology::DecodeError;

use super::fault::{Fault, refuse};
use super::fields::Field;
use super::items;
use crate::json::{NotJson, Scanner, Text, Token};
use crate::reason::DeadLetter;
use crate::time::is_rfc3339;

/// The fields that any payload of any topic may have, as far as they are there.
#[derive(Debug, Default)]
pub(super) struct Payload<'a> {
    order_id: Option<Token<'a>>,
    order_no: Option<Token<'a>>,
    user_id: Option<Token<'a>>,
    amount: Option<Token<'a>>,
    currency: Option<Token<'a>>,
    idempotency_key: Option<Token<'a>>,
    reason: Option<Token<'a>>,
    refund_id: Option<Token<'a>>,
    overdraft: Option<Token<'a>>,
    reference: Option<Token<'a>>,
    items: Option<Fault>,
}

impl<'a> Payload<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: Text<'a>) -> Result<(), NotJson> {
        let place = match &*key.unescape() {
            "orderId" => &mut self.order_id,
            "orderNo" => &mut self.order_no,
            "userId" => &mut self.user_id,
            "amountFen" => &mut self.amount,
            "currency" => &mut self.currency,
            "idempotencyKey" => &mut self.idempotency_key,
            "reason" => &mut self.reason,
            "refundId" => &mut self.refund_id,
            "overdraftFen" => &mut self.overdraft,
            "reference" => &mut self.reference,
            "items" => {
                self.items = items::read(scanner)?;
                return Ok(());
            }
            _ => return scanner.value().map(drop),
        };
        *place = Some(scanner.value()?);
        Ok(())
    }

    pub(super) fn order_id(&self) -> Field<'a> {
        Field::new("payload.orderId", self.order_id)
    }
    pub(super) fn order_no(&self) -> Field<'a> {
        Field::new("payload.orderNo", self.order_no)
    }
    pub(super) fn user_id(&self) -> Field<'a> {
        Field::new("payload.userId", self.user_id)
    }
    pub(super) fn amount(&self) -> Field<'a> {
        Field::new("payload.amountFen", self.amount)
    }
    pub(super) fn currency(&self) -> Field<'a> {
        Field::new("payload.currency", self.currency)
    }
    pub(super) fn idempotency_key(&self) -> Field<'a> {
        Field::new("payload.idempotencyKey", self.idempotency_key)
    }
    pub(super) fn reason(&self) -> Field<'a> {
        Field::new("payload.reason", self.reason)
    }
    pub(super) fn refund_id(&self) -> Field<'a> {
        Field::new("payload.refundId", self.refund_id)
    }
    pub(super) fn overdraft(&self) -> Field<'a> {
        Field::new("payload.overdraftFen", self.overdraft)
    }
    pub(super) fn reference(&self) -> Field<'a> {
        Field::new("payload.reference", self.reference)
    }
    /// Says whether the items are absent, null or right.
    pub(super) fn items(&self) -> Result<(), Fault> {
        self.items.map_or(Ok(()), Err)
    }
}

/// The parts of an envelope, as far as they are there.
#[derive(Debug, Default)]
pub(super) struct Document<'a> {
    event_type: Option<Token<'a>>,
    event_id: Option<Token<'a>>,
    occurred_at: Option<Token<'a>>,
    payload_token: Option<Token<'a>>,
    payload: Payload<'a>,
}

impl<'a> Document<'a> {
    /// Reads one JSON text: rules 5 to 8.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let not_json =
            |fault: NotJson| refuse(DeadLetter::NotJson, format!("{} at byte {}", fault.why, fault.at));
        let mut document = Self::default();
        let mut scanner = Scanner::new(bytes).map_err(not_json)?;
        let is_object = scanner.peek() == Some(b'{');
        if is_object {
            scanner.object(|inner, key| document.member(inner, key)).map_err(not_json)?;
        } else {
            scanner.value().map_err(not_json)?;
        }
        scanner.end().map_err(not_json)?;
        if !is_object {
            return Err(refuse(DeadLetter::NotAnObject, "the value is JSON but not an object"));
        }
        if scanner.saw_duplicate_key() {
            return Err(refuse(DeadLetter::DuplicateField, "an object has the same key twice"));
        }
        if scanner.saw_nul() {
            return Err(refuse(DeadLetter::BadField, "a string holds U+0000"));
        }
        Ok(document)
    }

    fn member(&mut self, scanner: &mut Scanner<'a>, key: Text<'a>) -> Result<(), NotJson> {
        let place = match &*key.unescape() {
            "eventType" => &mut self.event_type,
            "eventId" => &mut self.event_id,
            "occurredAt" => &mut self.occurred_at,
            "payload" if scanner.peek() == Some(b'{') => {
                self.payload_token = Some(Token::Object);
                let payload = &mut self.payload;
                return scanner.object(|inner, key| payload.member(inner, key));
            }
            "payload" => &mut self.payload_token,
            _ => return scanner.value().map(drop),
        };
        *place = Some(scanner.value()?);
        Ok(())
    }

    /// Returns what `known` makes of the event type, and the payload of a correct envelope: rules 9 to 11.
    pub(super) fn open<T>(
        self,
        known: impl FnOnce(&str) -> Option<T>,
    ) -> Result<(T, Payload<'a>), DecodeError> {
        let written = Field::new("eventType", self.event_type).string()?.unescape();
        let Some(event_type) = known(&written) else {
            let shown: String = written.chars().take(128).collect();
            return Err(refuse(
                DeadLetter::UnknownEventType,
                format!("this topic has no event type `{shown}`"),
            ));
        };
        Field::new("eventId", self.event_id).text()?;
        let occurred_at = Field::new("occurredAt", self.occurred_at).string()?;
        if !is_rfc3339(&occurred_at.unescape()) {
            return Err(Fault::bad("occurredAt", "is not a time of RFC 3339").into());
        }
        match self.payload_token {
            Some(Token::Object) => Ok((event_type, self.payload)),
            Some(_) => Err(Fault::bad("payload", "is not an object").into()),
            None => Err(Fault::missing("payload").into()),
        }
    }
}
