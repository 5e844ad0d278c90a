//! Good events with something changed at random: bits, bytes, tokens, fields, numbers, key, partition, timestamp.
//!
//! Unlike the kinds of `bad`, nobody knows beforehand what becomes of one: most must be dead letters with one code or another,
//! some are still good, and what they then ask for has to happen.

use millpond_topology::partition_for;

use super::damage::{add_to_payload, fill_to, lose, set};
use super::event::Order;
use super::random::Random;
use super::record::{Kind, Record, Stream};

const HOUR_MS: i64 = 3_600_000;

/// What JSON is made of, and what makes it go wrong.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\0",
    b"-",
    b"0",
    b"9",
    b".5",
    b"e9",
    b"null",
    b"true",
    b"\\u0000",
    b"\\u0041",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"\\x41",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"/*",
    b"NaN",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":1,\"a\":2}",
];

/// What a number or a text may be replaced by.
const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "-0",
    "007",
    "+1",
    "1.0",
    "1e3",
    "1e400",
    "0.1",
    "1000000000000000",
    "1000000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "null",
    "true",
    "\"\"",
    "\"1\"",
    "\"CNY\"",
    "\"USD\"",
    "\"cny\"",
    "\"a\\u0000b\"",
    "\"\\u007e\"",
    "\"\u{e9}\"",
    "[]",
    "{}",
    "[1]",
    "\"OrderPaid\"",
    "\"OpenAccount\"",
    "\"OrderCreated\"",
    "\"2026-02-29T00:00:00Z\"",
    "\"2024-02-29T23:59:60+23:59\"",
    "\"1\",\"x\":1",
];

const FIELDS: &[&str] = &[
    "eventType",
    "eventId",
    "occurredAt",
    "payload",
    "orderId",
    "orderNo",
    "userId",
    "amountFen",
    "currency",
    "items",
    "sku",
    "qty",
    "priceFen",
    "idempotencyKey",
    "reference",
    "refundId",
    "reason",
    "overdraftFen",
];

/// What a mutated record is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stock {
    /// An order that nobody has seen.
    pub(super) fresh: Order,
    /// An order that was sent before.
    pub(super) earlier: Option<Order>,
    /// The present, ms since the epoch.
    pub(super) timestamp_ms: i64,
    /// Partitions of the topics.
    pub(super) partitions: u32,
}

/// Makes a good record and changes something about it.
pub(super) fn mutated(stock: &Stock, random: &mut Random) -> Record {
    let (stream, user, value) = good(stock, random);
    let key = user.to_string().into_bytes();
    let mut record = Record {
        stream,
        partition: partition_for(&key, stock.partitions),
        key: Some(key),
        value: Some(value),
        timestamp_ms: stock.timestamp_ms,
        kind: Kind::Mutated(stream),
    };
    if random.one_in(8) {
        around_the_value(&mut record, stock, random);
    } else {
        // Several changes hide each other; most records have one.
        for _ in 0..1 + random.below(2) * random.below(3) {
            record.value = record.value.map(|value| change(value, random));
        }
    }
    record
}

/// Returns a good event: its topic, its user, its bytes.
fn good(stock: &Stock, random: &mut Random) -> (Stream, u64, Vec<u8>) {
    let Order { envelope, id, user, amount_fen, .. } = stock.fresh;
    let earlier = stock.earlier.unwrap_or(stock.fresh);
    let command = |name: &str, fields: &str| {
        (Stream::Commands, user, envelope.wrap(name, &format!(r#"{{"userId":{user}{fields}}}"#)))
    };
    let of_earlier = |name: &str, fields: &str| {
        let Order { id, user, .. } = earlier;
        let payload = format!(r#"{{"orderId":{id},"userId":{user}{fields}}}"#);
        (Stream::Orders, user, envelope.wrap(name, &payload))
    };
    let moved = format!(r#","amountFen":{amount_fen},"currency":"CNY","reference":"mu-{id:x}""#);
    match random.below(20) {
        0..=8 => (Stream::Orders, user, stock.fresh.encode_fully()),
        9..=10 => (Stream::Orders, user, stock.fresh.encode()),
        11 | 12 => command("DepositFunds", &moved),
        13 | 14 => command("WithdrawFunds", &moved),
        15 => of_earlier("OrderRefundRequested", &format!(r#","refundId":"mu-{id:x}","amountFen":1"#)),
        16 => of_earlier("OrderCancelled", r#","reason":"mutated""#),
        17 => of_earlier("OrderPaid", ""),
        18 => command("OpenAccount", r#","currency":"CNY","overdraftFen":5"#),
        // A freeze that stays good would freeze one user after the other.
        _ => command("UnfreezeAccount", r#","reason":"mutated""#),
    }
}

/// Changes what stands beside the value, or takes the value away.
fn around_the_value(record: &mut Record, stock: &Stock, random: &mut Random) {
    match random.below(8) {
        0 => record.value = None,
        1 => record.key = None,
        2 => record.partition = (record.partition + 1) % stock.partitions,
        3..=5 => {
            record.key = record.key.take().map(|key| match random.below(4) {
                0 => Vec::new(),
                1 => [b"0", key.as_slice()].concat(),
                2 => insert(key, random),
                _ => flip(key, random),
            });
            // Where producers would put it, so that the key itself is judged; one key in four stays where it was.
            if !random.one_in(4) {
                record.partition = partition_for(record.key.as_deref().unwrap_or_default(), stock.partitions);
            }
        }
        _ => {
            let now_ms = stock.timestamp_ms;
            // None so close to a day ahead that the moment of processing would decide.
            let choices =
                [-1, -86_400_000, 1, now_ms / 2, now_ms - HOUR_MS, now_ms + HOUR_MS, now_ms + 48 * HOUR_MS];
            let chosen = choices.get(random.index(choices.len()));
            record.timestamp_ms = chosen.copied().unwrap_or(now_ms);
        }
    }
}

fn change(value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    match random.below(13) {
        0..=2 => flip(value, random),
        3 => delete(value, random),
        4 | 5 => insert(value, random),
        6 => cut(value, random),
        7 => swap(value, random),
        8 => repeat(value, random),
        9 => digit(value, random),
        _ => field(value, random),
    }
}

/// Returns the bounds of a short run of bytes.
fn run(value: &[u8], random: &mut Random) -> (usize, usize) {
    let from = random.index(value.len() + 1);
    (from, value.len().min(from + 1 + random.index(8)))
}

fn flip(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(2) {
        let at = random.index(value.len());
        if let Some(byte) = value.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    }
    value
}

fn delete(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let (from, to) = run(&value, random);
    value.drain(from..to);
    value
}

fn insert(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let at = random.index(value.len() + 1);
    let token = TOKENS.get(random.index(TOKENS.len())).copied().unwrap_or_default();
    value.splice(at..at, token.iter().copied());
    value
}

fn cut(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let length = random.index(value.len() + 1);
    if random.one_in(2) {
        value.truncate(length);
    } else {
        value.drain(..length);
    }
    value
}

fn swap(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let (one, other) = (random.index(value.len()), random.index(value.len()));
    if one < value.len() && other < value.len() {
        value.swap(one, other);
    }
    value
}

fn repeat(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let (from, to) = run(&value, random);
    let copied = value.get(from..to).unwrap_or_default().to_vec();
    value.splice(to..to, copied);
    value
}

/// Changes one digit, which mostly leaves a good event about something else.
fn digit(mut value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let chosen = random.index(digits);
    if let Some(byte) = value.iter_mut().filter(|byte| byte.is_ascii_digit()).nth(chosen) {
        *byte = b'0' + u8::try_from(random.below(10)).unwrap_or(0);
    }
    value
}

/// Changes a field as a whole: its value, its name, how often it is there; or the length of the whole.
fn field(value: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let Ok(json) = std::str::from_utf8(&value) else { return value };
    let name = FIELDS.get(random.index(FIELDS.len())).copied().unwrap_or_default();
    let raw = VALUES.get(random.index(VALUES.len())).copied().unwrap_or_default();
    match random.below(40) {
        0..=22 => set(json, name, raw),
        23..=28 => lose(json, name),
        29..=34 => add_to_payload(json, &format!(r#""{name}":{raw}"#)),
        35..=37 => add_to_payload(json, &format!(r#""unknown":{raw}"#)),
        // Around the longest value that is looked into; rare, since it is long.
        38 if random.one_in(8) => fill_to(json, 65_535 + random.index(3)),
        _ => set(json, name, &"7".repeat(1 + random.index(40))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Stock, mutated};
    use crate::load::event::{Envelope, Order};
    use crate::load::{Random, Record};

    fn records(seed: u64) -> Vec<Record> {
        let mut random = Random::new(seed);
        let envelope = Envelope { id: 5, occurred_ms: 1_763_629_954_123 };
        let fresh = Order { envelope, id: 255, user: 7, amount_fen: 1_234, currency: None };
        let stock = Stock { fresh, earlier: None, timestamp_ms: 1_763_629_954_123, partitions: 4 };
        (0..20_000).map(|_| mutated(&stock, &mut random)).collect()
    }

    #[test]
    fn the_same_seed_mutates_alike_and_hardly_two_are_the_same() {
        assert_eq!(records(3), records(3));
        let mut values: Vec<_> = records(4).into_iter().map(|record| (record.key, record.value)).collect();
        values.sort();
        values.dedup();
        assert!(values.len() > 12_000, "{}", values.len());
    }

    #[test]
    fn some_stay_good_and_most_do_not() {
        let is_json = |record: &Record| {
            let value = record.value.as_deref().unwrap_or_default();
            serde_json::from_slice::<serde_json::Value>(value).is_ok()
        };
        let parsed = records(5).iter().filter(|record| is_json(record)).count();
        assert!((5_000..15_000).contains(&parsed), "{parsed}");
        let lengths = records(5).iter().filter_map(|record| Some(record.value.as_ref()?.len())).max();
        assert_eq!(lengths, Some(65_537));
    }
}
