//! The bytes of good events, written by hand: no field order or white space is left to a library.

use std::fmt::Write as _;

use super::random::mix;
use super::stamp::rfc3339;

/// Currency of most accounts.
pub(super) const CNY: &str = "CNY";

/// Currency of the others.
pub(super) const USD: &str = "USD";

/// Returns the currency of a user's account.
pub(super) fn currency_of(user: u64) -> &'static str {
    if user.is_multiple_of(53) { USD } else { CNY }
}

/// Returns the overdraft of a user's account, in fen.
pub(super) fn overdraft_of(user: u64) -> i64 {
    if user.is_multiple_of(17) { 50_000 } else { 0 }
}

/// What every event has around its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    /// Random bits of the event id.
    pub(super) id: u128,
    /// When it occurred, ms since the epoch.
    pub(super) occurred_ms: i64,
}

impl Envelope {
    /// Writes an event with a payload that is JSON already.
    pub(super) fn wrap(self, event_type: &str, payload: &str) -> Vec<u8> {
        let id = uuid::Builder::from_random_bytes(self.id.to_be_bytes()).into_uuid();
        let occurred = rfc3339(self.occurred_ms);
        let event = format!(
            r#"{{"eventType":"{event_type}","eventId":"{id}","occurredAt":"{occurred}","payload":{payload}}}"#
        );
        event.into_bytes()
    }
}

/// An order, small enough to remember many of them; its items follow from its id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) envelope: Envelope,
    pub(super) id: u64,
    pub(super) user: u64,
    pub(super) amount_fen: i64,
    pub(super) currency: Option<&'static str>,
}

impl Order {
    /// Writes the order; every second one has items, every fourth an idempotency key.
    pub(super) fn encode(&self) -> Vec<u8> {
        let choice = mix(self.id);
        let items = if choice & 1 == 0 { 0 } else { 1 + (choice >> 8) % 3 };
        self.write(items, choice & 6 == 0)
    }

    /// Writes the order with every optional field.
    pub(super) fn encode_fully(&self) -> Vec<u8> {
        self.write(2, true)
    }

    fn write(&self, items: u64, has_idempotency_key: bool) -> Vec<u8> {
        let Self { id, user, amount_fen, .. } = self;
        let mut payload =
            format!(r#"{{"orderId":{id},"orderNo":"MP-{id:x}","userId":{user},"amountFen":{amount_fen}"#);
        // Writing to a String cannot fail.
        if let Some(currency) = self.currency {
            let _ = write!(payload, r#","currency":"{currency}""#);
        }
        if items > 0 {
            payload.push_str(r#","items":["#);
            for item in 0..items {
                let bits = mix(id ^ (item << 56));
                let (sku, qty, price) = (bits % 10_000, 1 + (bits >> 16) % 5, 100 + (bits >> 24) % 10_000);
                let comma = if item == 0 { "" } else { "," };
                let _ = write!(payload, r#"{comma}{{"sku":"SKU-{sku:04}","qty":{qty},"priceFen":{price}}}"#);
            }
            payload.push(']');
        }
        if has_idempotency_key {
            let _ = write!(payload, r#","idempotencyKey":"idem-{id:x}""#);
        }
        payload.push('}');
        self.envelope.wrap("OrderCreated", &payload)
    }
}

#[cfg(test)]
mod tests {
    use super::{CNY, Envelope, Order};

    const ENVELOPE: Envelope = Envelope { id: 1, occurred_ms: 0 };

    #[test]
    fn an_order_is_the_json_of_the_contract() {
        let order = Order { envelope: ENVELOPE, id: 255, user: 7, amount_fen: 1_234, currency: Some(CNY) };
        let json: serde_json::Value = serde_json::from_slice(&order.encode_fully()).unwrap();
        assert_eq!(json["eventType"], "OrderCreated");
        assert_eq!(json["eventId"], "00000000-0000-4000-8000-000000000001");
        assert_eq!(json["occurredAt"], "1970-01-01T00:00:00.000Z");
        let payload = &json["payload"];
        assert_eq!((&payload["orderId"], &payload["orderNo"]), (&255.into(), &"MP-ff".into()));
        assert_eq!((&payload["userId"], &payload["amountFen"]), (&7.into(), &1_234.into()));
        assert_eq!(payload["items"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn optional_fields_come_and_go() {
        let mut seen = [[false; 2]; 2];
        for id in 1..100 {
            let order = Order { envelope: ENVELOPE, id, user: 7, amount_fen: 1, currency: None };
            let json: serde_json::Value = serde_json::from_slice(&order.encode()).unwrap();
            let payload = json["payload"].as_object().unwrap();
            let has = |name| usize::from(payload.contains_key(name));
            seen[has("items")][has("idempotencyKey")] = true;
            assert_eq!(has("currency"), 0);
        }
        assert_eq!(seen, [[true; 2]; 2]);
    }
}
