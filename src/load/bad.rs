//! Every way in which a producer can write a record that must become a dead letter.
//!
//! One line per way, with the reason code that must come out. `ARITHMETIC` is absent: with amounts of at most
//! 10^15 it takes thousands of deposits to one account to leave 64 bits.

use millpond_topology::partition_for;

use super::damage::{add_to_payload, fill_to, into_text, lose, set};
use super::event::{Envelope, Order};
use super::record::{Kind, Record, Stream};

/// How far ahead of the clock the misdated records are: twice what is accepted by default.
const AHEAD_MS: i64 = 48 * 60 * 60 * 1_000;

/// One kind of bad record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadKind {
    name: &'static str,
    code: &'static str,
    stream: Stream,
}

impl BadKind {
    /// Returns what is bad, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Returns the reason code of its dead letter.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Returns the topic that it is written to.
    #[must_use]
    pub fn stream(self) -> Stream {
        self.stream
    }

    /// Returns every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        RECIPES.iter().map(|recipe| recipe.kind)
    }
}

/// The good event that is damaged.
#[derive(Debug, Clone, Copy)]
enum Base {
    Order,
    Deposit,
    Open,
}

/// What is done to it.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Its value becomes this.
    Value(fn(&str) -> Vec<u8>),
    /// It is written without a value.
    NoValue,
    /// Its key becomes this; given the user.
    Key(fn(u64) -> Option<Vec<u8>>),
    /// It goes to the partition after its own.
    Partition,
    /// Its timestamp becomes this; given the present.
    Timestamp(fn(i64) -> i64),
    /// It is an earlier order with another amount.
    Conflict,
}

/// A kind and how to make it.
#[derive(Debug)]
pub(super) struct Recipe {
    kind: BadKind,
    base: Base,
    damage: Damage,
}

/// What a bad record is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draft {
    /// An order that nobody has seen.
    pub(super) order: Order,
    /// An order that was sent before.
    pub(super) earlier: Option<Order>,
    /// The present, ms since the epoch.
    pub(super) timestamp_ms: i64,
    /// Partitions of the topics.
    pub(super) partitions: u32,
}

impl Recipe {
    /// Returns the recipe whose turn is the `turn`-th.
    pub(super) fn of_turn(turn: usize) -> Option<&'static Self> {
        RECIPES.get(turn % RECIPES.len())
    }

    /// Makes the record; `None` when it cannot be made (one partition has no wrong one, no order was sent yet).
    pub(super) fn make(&self, draft: &Draft) -> Option<Record> {
        let mut order = draft.order;
        if let Damage::Conflict = self.damage {
            order = draft.earlier?;
            // Beyond what a good order or a short one has, so it differs from either.
            order.amount_fen = order.amount_fen % 1_000_000 + 60_000;
        }
        let user = order.user;
        let good = match self.base {
            Base::Order => order.encode_fully(),
            Base::Deposit => deposit(&order),
            Base::Open => open(&order),
        };
        let mut record = Record {
            stream: self.kind.stream,
            partition: 0,
            key: Some(user.to_string().into_bytes()),
            value: None,
            timestamp_ms: draft.timestamp_ms,
            kind: Kind::Bad(self.kind),
        };
        if let Damage::Key(key) = self.damage {
            record.key = key(user);
        }
        record.partition = partition_for(record.key.as_deref().unwrap_or_default(), draft.partitions);
        match self.damage {
            Damage::Value(damage) => record.value = Some(damage(&String::from_utf8(good).ok()?)),
            Damage::NoValue => {}
            Damage::Partition if draft.partitions == 1 => return None,
            Damage::Partition => {
                record.partition = (record.partition + 1) % draft.partitions;
                record.value = Some(good);
            }
            Damage::Timestamp(timestamp) => {
                record.timestamp_ms = timestamp(draft.timestamp_ms);
                record.value = Some(good);
            }
            Damage::Key(_) | Damage::Conflict => record.value = Some(good),
        }
        Some(record)
    }
}

fn deposit(order: &Order) -> Vec<u8> {
    let Order { envelope, id, user, amount_fen, .. } = order;
    let payload = format!(r#"{{"userId":{user},"amountFen":{amount_fen},"reference":"bad-{id:x}"}}"#);
    envelope.wrap("DepositFunds", &payload)
}

fn open(order: &Order) -> Vec<u8> {
    let Order { envelope, user, .. } = order;
    envelope.wrap("OpenAccount", &format!(r#"{{"userId":{user},"overdraftFen":0}}"#))
}

const fn recipe(base: Base, code: &'static str, name: &'static str, damage: Damage) -> Recipe {
    let stream = match base {
        Base::Order => Stream::Orders,
        Base::Deposit | Base::Open => Stream::Commands,
    };
    Recipe { kind: BadKind { name, code, stream }, base, damage }
}

/// An order whose value is damaged.
const fn order(code: &'static str, name: &'static str, damage: fn(&str) -> Vec<u8>) -> Recipe {
    recipe(Base::Order, code, name, Damage::Value(damage))
}

/// An order of which one field has this raw value.
macro_rules! field {
    ($code:literal, $name:literal, $field:literal, $raw:expr) => {
        order($code, $name, |json| set(json, $field, $raw))
    };
}

static RECIPES: &[Recipe] = &[
    order("NOT_JSON", "not JSON", |_| b"order 7 please".to_vec()),
    order("NOT_JSON", "empty value", |_| Vec::new()),
    order("NOT_JSON", "cut off", |json| json.as_bytes().iter().take(json.len() / 2).copied().collect()),
    order("NOT_JSON", "invalid UTF-8", |json| into_text(json, b"\xff")),
    order("NOT_JSON", "overlong UTF-8", |json| into_text(json, b"\xc0\x80")),
    order("NOT_JSON", "byte order mark", |json| [b"\xef\xbb\xbf", json.as_bytes()].concat()),
    order("NOT_JSON", "trailing bytes", |json| format!("{json} x").into_bytes()),
    order("NOT_JSON", "two documents", |json| format!("{json}{json}").into_bytes()),
    order("NOT_JSON", "raw control character", |json| into_text(json, b"\x01")),
    order("NOT_JSON", "lone surrogate", |json| into_text(json, b"\\ud800")),
    order("NOT_JSON", "unknown escape", |json| into_text(json, b"\\x41")),
    order("NOT_JSON", "single quotes", |json| json.replace('"', "'").into_bytes()),
    order("NOT_JSON", "trailing comma", |json| json.replacen("}}", ",}}", 1).into_bytes()),
    order("NOT_JSON", "nested too deep", |json| {
        // 63 arrays in the payload of the top level object: 65 open at once.
        add_to_payload(json, &format!("\"deep\":{}{}", "[".repeat(63), "]".repeat(63)))
    }),
    field!("NOT_JSON", "leading zero", "amountFen", "007"),
    field!("NOT_JSON", "plus sign", "amountFen", "+7"),
    field!("NOT_JSON", "no digit after the point", "amountFen", "7."),
    field!("NOT_JSON", "not a number", "amountFen", "NaN"),
    order("NOT_AN_OBJECT", "array instead of object", |json| format!("[{json}]").into_bytes()),
    order("NOT_AN_OBJECT", "null instead of object", |_| b"null".to_vec()),
    order("NOT_AN_OBJECT", "string instead of object", |_| b"\"OrderCreated\"".to_vec()),
    order("DUPLICATE_FIELD", "duplicate key", |json| add_to_payload(json, "\"amountFen\":1")),
    order("DUPLICATE_FIELD", "duplicate key by escape", |json| add_to_payload(json, "\"amount\\u0046en\":1")),
    order("DUPLICATE_FIELD", "duplicate key in an ignored field", |json| {
        add_to_payload(json, r#""more":{"a":1,"a":2}"#)
    }),
    order("BAD_FIELD", "NUL character", |json| into_text(json, b"\\u0000")),
    order("BAD_FIELD", "NUL in an ignored field", |json| add_to_payload(json, r#""note":"\u0000""#)),
    field!("BAD_FIELD", "event type null", "eventType", "null"),
    field!("BAD_FIELD", "event type number", "eventType", "1"),
    field!("BAD_FIELD", "event id empty", "eventId", "\"\""),
    order("BAD_FIELD", "event id too long", |json| set(json, "eventId", &format!("\"{}\"", "e".repeat(129)))),
    field!("BAD_FIELD", "date that does not exist", "occurredAt", "\"2026-02-30T00:00:00Z\""),
    field!("BAD_FIELD", "time as number", "occurredAt", "1763629954123"),
    field!("BAD_FIELD", "payload array", "payload", "[]"),
    field!("BAD_FIELD", "payload null", "payload", "null"),
    field!("BAD_FIELD", "string for number", "amountFen", "\"500\""),
    field!("BAD_FIELD", "float", "amountFen", "500.0"),
    field!("BAD_FIELD", "exponent", "amountFen", "5e2"),
    field!("BAD_FIELD", "exponent beyond doubles", "amountFen", "1e400"),
    field!("BAD_FIELD", "minus zero", "amountFen", "-0"),
    field!("BAD_FIELD", "amount null", "amountFen", "null"),
    field!("BAD_FIELD", "amount true", "amountFen", "true"),
    field!("BAD_FIELD", "order id zero", "orderId", "0"),
    field!("BAD_FIELD", "order id negative", "orderId", "-5"),
    field!("BAD_FIELD", "order id beyond 2^63", "orderId", "9223372036854775808"),
    field!("BAD_FIELD", "user id string", "userId", "\"7\""),
    field!("BAD_FIELD", "text beyond ASCII", "orderNo", "\"订单\""),
    order("BAD_FIELD", "text too long", |json| set(json, "orderNo", &format!("\"{}\"", "n".repeat(129)))),
    field!("BAD_FIELD", "currency in lower case", "currency", "\"cny\""),
    field!("BAD_FIELD", "items object", "items", "{}"),
    field!("BAD_FIELD", "item without quantity", "items", r#"[{"sku":"s","qty":0,"priceFen":1}]"#),
    order("BAD_FIELD", "too many items", |json| {
        let items = vec![r#"{"sku":"s","qty":1,"priceFen":1}"#; 1_001].join(",");
        set(json, "items", &format!("[{items}]"))
    }),
    field!("BAD_FIELD", "idempotency key empty", "idempotencyKey", "\"\""),
    field!("AMOUNT_OUT_OF_RANGE", "amount zero", "amountFen", "0"),
    field!("AMOUNT_OUT_OF_RANGE", "amount negative", "amountFen", "-500"),
    field!("AMOUNT_OUT_OF_RANGE", "amount too large", "amountFen", "1000000000000001"),
    field!("AMOUNT_OUT_OF_RANGE", "amount beyond 64 bits", "amountFen", "9223372036854775808"),
    order("AMOUNT_OUT_OF_RANGE", "amount of 5,000 digits", |json| set(json, "amountFen", &"9".repeat(5_000))),
    field!("AMOUNT_OUT_OF_RANGE", "price negative", "items", r#"[{"sku":"s","qty":1,"priceFen":-1}]"#),
    recipe(
        Base::Deposit,
        "AMOUNT_OUT_OF_RANGE",
        "deposit of nothing",
        Damage::Value(|json| set(json, "amountFen", "0")),
    ),
    recipe(
        Base::Open,
        "AMOUNT_OUT_OF_RANGE",
        "overdraft negative",
        Damage::Value(|json| set(json, "overdraftFen", "-1")),
    ),
    order("MISSING_FIELD", "no event type", |json| lose(json, "eventType")),
    order("MISSING_FIELD", "no event id", |json| lose(json, "eventId")),
    order("MISSING_FIELD", "no time", |json| lose(json, "occurredAt")),
    order("MISSING_FIELD", "no payload", |json| lose(json, "payload")),
    order("MISSING_FIELD", "no order id", |json| lose(json, "orderId")),
    order("MISSING_FIELD", "no user id", |json| lose(json, "userId")),
    order("MISSING_FIELD", "no amount", |json| lose(json, "amountFen")),
    order("MISSING_FIELD", "item without name", |json| lose(json, "sku")),
    recipe(
        Base::Deposit,
        "MISSING_FIELD",
        "deposit without reference",
        Damage::Value(|json| lose(json, "reference")),
    ),
    field!("UNKNOWN_EVENT_TYPE", "unknown event type", "eventType", "\"OrderTeleported\""),
    field!("UNKNOWN_EVENT_TYPE", "command among the orders", "eventType", "\"DepositFunds\""),
    recipe(
        Base::Deposit,
        "UNKNOWN_EVENT_TYPE",
        "order among the commands",
        Damage::Value(|json| set(json, "eventType", "\"OrderCreated\"")),
    ),
    recipe(Base::Order, "MISSING_KEY", "no key", Damage::Key(|_| None)),
    recipe(Base::Order, "MISSING_KEY", "empty key", Damage::Key(|_| Some(Vec::new()))),
    recipe(Base::Order, "KEY_MISMATCH", "key of another user", Damage::Key(|user| text(user + 1))),
    recipe(
        Base::Order,
        "KEY_MISMATCH",
        "key with leading zero",
        Damage::Key(|user| text(format!("0{user}"))),
    ),
    recipe(Base::Order, "KEY_MISMATCH", "key in words", Damage::Key(|user| text(format!("user-{user}")))),
    recipe(Base::Order, "WRONG_PARTITION", "wrong partition", Damage::Partition),
    recipe(Base::Order, "NULL_VALUE", "no value", Damage::NoValue),
    order("TOO_LARGE", "70 KB", |json| fill_to(json, 70_000)),
    order("TOO_LARGE", "one byte too many", |json| fill_to(json, 65_537)),
    recipe(
        Base::Order,
        "INVALID_TIMESTAMP",
        "two days ahead",
        Damage::Timestamp(|now_ms| now_ms.saturating_add(AHEAD_MS)),
    ),
    recipe(Base::Order, "INVALID_TIMESTAMP", "no timestamp", Damage::Timestamp(|_| -1)),
    recipe(Base::Order, "INVALID_TIMESTAMP", "before 1970", Damage::Timestamp(|_| -86_400_000)),
    recipe(Base::Order, "ORDER_CONFLICT", "other amount", Damage::Conflict),
];

fn text(key: impl ToString) -> Option<Vec<u8>> {
    Some(key.to_string().into_bytes())
}

/// Returns the envelope that an order sent again gets when it is a new event about the same order.
pub(super) fn renewed(order: Order, id: u128, occurred_ms: i64) -> Order {
    Order { envelope: Envelope { id, occurred_ms }, ..order }
}
