//! The catalogue of bad input: each has one reason, changes nothing, and never stops the good record after
//! it.

use millpond_topology::{MemoryState, OwnedRecord, partition_for};

use crate::bench::Bench;
use crate::input::{COMMANDS, Input, ORDERS, WALL_MS, What};

const PARTITIONS: u32 = 3;

/// A bad record: what is wrong, the record, the reason.
type Row = (&'static str, OwnedRecord, &'static str);

fn record(key: Option<&[u8]>, value: Option<&[u8]>) -> OwnedRecord {
    OwnedRecord {
        offset: 0,
        timestamp_ms: WALL_MS,
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: vec![(b"kept".to_vec(), Some(b"yes".to_vec()))],
    }
}

const GOOD: &str = concat!(
    r#"{"eventType":"OrderCreated","eventId":"e-1","occurredAt":"2026-11-20T09:12:34Z","payload":"#,
    r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":5}}"#
);

/// The good order with one thing changed.
fn changed(name: &'static str, from: &str, to: &str, code: &'static str) -> Row {
    let value = GOOD.replacen(from, to, 1);
    assert!(value != GOOD, "{name}");
    (name, record(Some(b"7"), Some(value.as_bytes())), code)
}

fn raw(name: &'static str, value: &[u8], code: &'static str) -> Row {
    (name, record(Some(b"7"), Some(value)), code)
}

fn padded(bytes: usize) -> Vec<u8> {
    let mut value = GOOD.as_bytes().to_vec();
    value.resize(bytes, b' ');
    value
}

/// Envelope and payload fields.
fn field_rows() -> Vec<Row> {
    let amount =
        |name, to: &str, code| changed(name, r#""amountFen":5"#, &format!(r#""amountFen":{to}"#), code);
    vec![
        amount("negative amount", "-5", "AMOUNT_OUT_OF_RANGE"),
        amount("zero amount", "0", "AMOUNT_OUT_OF_RANGE"),
        amount("i64::MAX + 1", "9223372036854775808", "AMOUNT_OUT_OF_RANGE"),
        amount("one above the limit", "1000000000000001", "AMOUNT_OUT_OF_RANGE"),
        amount("a thousand digits", &"9".repeat(1000), "AMOUNT_OUT_OF_RANGE"),
        amount("60,000 digits", &"9".repeat(60_000), "AMOUNT_OUT_OF_RANGE"),
        amount("i64::MIN", "-9223372036854775808", "AMOUNT_OUT_OF_RANGE"),
        amount("float", "5.0", "BAD_FIELD"),
        amount("exponent", "5e0", "BAD_FIELD"),
        amount("large exponent", "1e3", "BAD_FIELD"),
        amount("infinite number", "1e400", "BAD_FIELD"),
        amount("minus zero", "-0", "BAD_FIELD"),
        amount("string for a number", "\"5\"", "BAD_FIELD"),
        amount("null for a number", "null", "BAD_FIELD"),
        amount("bool for a number", "true", "BAD_FIELD"),
        amount("array for a number", "[5]", "BAD_FIELD"),
        amount("leading zero", "05", "NOT_JSON"),
        amount("plus sign", "+5", "NOT_JSON"),
        amount("NaN", "NaN", "NOT_JSON"),
        changed("missing field", r#","amountFen":5"#, "", "MISSING_FIELD"),
        changed("missing user", r#""userId":7,"#, "", "MISSING_FIELD"),
        changed("user 0", r#""userId":7"#, r#""userId":0"#, "BAD_FIELD"),
        changed("user above 2^63 - 1", r#""userId":7"#, r#""userId":9223372036854775808"#, "BAD_FIELD"),
        changed("number for a string", r#""n""#, "1", "BAD_FIELD"),
        changed("empty string", r#""n""#, r#""""#, "BAD_FIELD"),
        changed("string of 129 bytes", r#""n""#, &format!("\"{}\"", "n".repeat(129)), "BAD_FIELD"),
        changed("homoglyph", r#""n""#, "\"\u{0435}\"", "BAD_FIELD"),
        changed("NUL in a field", r#""n""#, r#""a\u0000b""#, "BAD_FIELD"),
        changed("NUL in an unknown field", r#""n""#, r#""n","x":["\u0000"]"#, "BAD_FIELD"),
        changed("NUL in a key", r#""n""#, r#""n","\u0000":1"#, "BAD_FIELD"),
        changed("duplicate key", r#""amountFen":5"#, r#""amountFen":5,"amountFen":5"#, "DUPLICATE_FIELD"),
        changed("duplicate key by escape", r#""n""#, r#""n","order\u004eo":"n""#, "DUPLICATE_FIELD"),
        changed("duplicate unknown key, deep", r#""n""#, r#""n","x":[{"y":1,"y":1}]"#, "DUPLICATE_FIELD"),
        changed("unknown event type", "OrderCreated", "OrderShipped", "UNKNOWN_EVENT_TYPE"),
        changed("event type of the other topic", "OrderCreated", "OpenAccount", "UNKNOWN_EVENT_TYPE"),
        changed("no event type", r#""eventType":"OrderCreated","#, "", "MISSING_FIELD"),
        changed("event type is null", r#""OrderCreated""#, "null", "BAD_FIELD"),
        changed("empty event id", r#""e-1""#, r#""""#, "BAD_FIELD"),
        changed("no time", "2026-11-20T09:12:34Z", "2026-11-31T09:12:34Z", "BAD_FIELD"),
        changed(
            "payload is an array",
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":5}"#,
            "[1]",
            "BAD_FIELD",
        ),
    ]
}

/// The text as a whole.
fn text_rows() -> Vec<Row> {
    let nested = |levels: usize| {
        let value = format!("{}{}", "[".repeat(levels - 2), "]".repeat(levels - 2));
        GOOD.replacen(r#""n""#, &format!(r#""n","x":{value}"#), 1).into_bytes()
    };
    let inserted = |bytes: &[u8]| {
        let (before, after) = GOOD.split_once("e-1").expect("the event id");
        [before.as_bytes(), bytes, after.as_bytes()].concat()
    };
    let ignored = |value: &[u8]| [GOOD.trim_end_matches("}}").as_bytes(), br#","x":"#, value, b"}}"].concat();
    vec![
        raw(
            "array instead of an object",
            br#"["OrderCreated","e","2026-11-20T09:12:34Z",{}]"#,
            "NOT_AN_OBJECT",
        ),
        raw("number", b"5", "NOT_AN_OBJECT"),
        raw("null text", b"null", "NOT_AN_OBJECT"),
        raw("empty value", b"", "NOT_JSON"),
        raw("white space", b" \n", "NOT_JSON"),
        raw("invalid UTF-8", &inserted(b"\xff"), "NOT_JSON"),
        raw("invalid UTF-8 in an ignored field", &ignored(b"\"\xff\""), "NOT_JSON"),
        raw("lone surrogate in an ignored field", &ignored(br#""\ud800""#), "NOT_JSON"),
        raw("control character in an ignored field", &ignored(b"\"\x01\""), "NOT_JSON"),
        raw("leading zero in an ignored field", &ignored(b"00"), "NOT_JSON"),
        raw("million digits", &ignored(&vec![b'9'; 1_000_000]), "TOO_LARGE"),
        raw("overlong UTF-8", &inserted(b"\xc0\xaf"), "NOT_JSON"),
        raw("surrogate in UTF-8", &inserted(b"\xed\xa0\x80"), "NOT_JSON"),
        raw("lone surrogate escape", &inserted(br"\ud800"), "NOT_JSON"),
        raw("halves in the wrong order", &inserted(br"\udc00\ud800"), "NOT_JSON"),
        raw("unknown escape", &inserted(br"\x41"), "NOT_JSON"),
        raw("control character", &inserted(b"\n"), "NOT_JSON"),
        raw("raw NUL", &inserted(b"\0"), "NOT_JSON"),
        raw("byte order mark", format!("\u{feff}{GOOD}").as_bytes(), "NOT_JSON"),
        raw("trailing bytes", format!("{GOOD}x").as_bytes(), "NOT_JSON"),
        raw("trailing NUL", format!("{GOOD}\0").as_bytes(), "NOT_JSON"),
        raw("two documents", format!("{GOOD}{GOOD}").as_bytes(), "NOT_JSON"),
        raw("cut off", &GOOD.as_bytes()[..GOOD.len() - 1], "NOT_JSON"),
        raw("single quotes", GOOD.replace('"', "'").as_bytes(), "NOT_JSON"),
        raw("trailing comma", GOOD.replace("5}", "5,}").as_bytes(), "NOT_JSON"),
        raw("comment", format!("{GOOD}//").as_bytes(), "NOT_JSON"),
        raw("65 levels", &nested(65), "NOT_JSON"),
        raw("30,000 levels", &nested(30_000), "NOT_JSON"),
        raw("one byte too long", &padded(65_537), "TOO_LARGE"),
        raw("2 MiB", &padded(2 * 1024 * 1024), "TOO_LARGE"),
        raw("too long and no JSON", &vec![b'x'; 70_000], "TOO_LARGE"),
    ]
}

/// Keys, timestamps, null.
fn record_rows() -> Vec<Row> {
    let value = Some(GOOD.as_bytes());
    let at = |timestamp_ms: i64| OwnedRecord { timestamp_ms, ..record(Some(b"7"), value) };
    vec![
        ("null value", record(Some(b"7"), None), "NULL_VALUE"),
        ("null value and key", record(None, None), "NULL_VALUE"),
        ("null key", record(None, value), "MISSING_KEY"),
        ("empty key", record(Some(b""), value), "MISSING_KEY"),
        ("empty key and no JSON", record(Some(b""), Some(b"{")), "MISSING_KEY"),
        ("too long and no key", record(None, Some(&padded(65_537))), "TOO_LARGE"),
        ("another user's key", record(Some(b"8"), value), "KEY_MISMATCH"),
        ("key with a zero in front", record(Some(b"07"), value), "KEY_MISMATCH"),
        ("key with a sign", record(Some(b"+7"), value), "KEY_MISMATCH"),
        ("key with a space", record(Some(b"7 "), value), "KEY_MISMATCH"),
        ("binary key", record(Some(&7u64.to_be_bytes()), value), "KEY_MISMATCH"),
        ("no timestamp", at(-1), "INVALID_TIMESTAMP"),
        ("timestamp of the far future", at(WALL_MS + 86_400_001), "INVALID_TIMESTAMP"),
        (
            "far future and null",
            OwnedRecord { timestamp_ms: i64::MAX, ..record(None, None) },
            "INVALID_TIMESTAMP",
        ),
    ]
}

fn text_of(headers: &[(Vec<u8>, Option<Vec<u8>>)], name: &str) -> String {
    let found =
        headers.iter().find(|(found, _)| found == name.as_bytes()).and_then(|(_, value)| value.clone());
    String::from_utf8(found.unwrap_or_default()).expect("text")
}

/// Runs a bad record, then a good one, and checks both outcomes.
fn check(bench: &mut Bench, topic: &str, (name, bad, code): Row, user: u64) {
    let outputs = bench.run(topic, bad.clone()).expect(name);
    assert_eq!(outputs.len(), 1, "{name}");
    let (out_topic, letter) = &outputs[0];
    assert_eq!(out_topic, "deadletter.events", "{name}");
    let headers = &letter.headers;
    assert_eq!(text_of(headers, "__streams.errors.exception"), code, "{name}");
    assert_eq!(text_of(headers, "x-dlq-error-code"), code, "{name}");
    assert_eq!(text_of(headers, "kept"), "yes", "{name}");
    assert!(!text_of(headers, "__streams.errors.message").is_empty(), "{name}");
    assert_eq!(letter.key, bad.key, "{name}");
    let carried = bad.value.map(|value| value[..value.len().min(65_536)].to_vec());
    assert_eq!(letter.value, carried, "{name}");
    // Nothing was changed: the good order is the first of its kind, and its account is not there.
    let good = Input::new(user, What::Created { order: 1, amount: 5, currency: None });
    let outputs = bench.run(ORDERS, good.record(WALL_MS)).expect("processed");
    let value = String::from_utf8(outputs[0].1.value.clone().expect("a value")).expect("UTF-8");
    assert!(value.contains(r#""reason":"ACCOUNT_NOT_FOUND""#), "{name}: {value}");
}

#[test]
fn every_bad_record_has_its_reason() {
    let rows = field_rows().into_iter().chain(text_rows()).chain(record_rows());
    for row in rows {
        let mut bench = Bench::over(MemoryState::new(), PARTITIONS, partition_for(b"7", PARTITIONS));
        check(&mut bench, ORDERS, row, 7);
    }
}

#[test]
fn commands_have_their_own_events() {
    for (name, from, to, code) in [
        ("event type of the other topic", "", "", "UNKNOWN_EVENT_TYPE"),
        ("no reference", "OrderCreated", "DepositFunds", "MISSING_FIELD"),
        ("overdraft below 0", r#"OrderCreated""#, r#"OpenAccount","x":1"#, "AMOUNT_OUT_OF_RANGE"),
    ] {
        let value = GOOD.replacen(from, to, 1).replacen(r#""orderId":1"#, r#""overdraftFen":-1"#, 1);
        let mut bench = Bench::over(MemoryState::new(), PARTITIONS, partition_for(b"7", PARTITIONS));
        check(&mut bench, COMMANDS, (name, record(Some(b"7"), Some(value.as_bytes())), code), 7);
    }
}

#[test]
fn a_record_on_the_wrong_partition_is_refused() {
    let right = partition_for(b"7", PARTITIONS);
    for partition in (0..PARTITIONS).filter(|partition| *partition != right) {
        let mut bench = Bench::over(MemoryState::new(), PARTITIONS, partition);
        let stranger =
            (1..100u64).find(|id| partition_for(id.to_string().as_bytes(), PARTITIONS) == partition);
        let row = ("wrong partition", record(Some(b"7"), Some(GOOD.as_bytes())), "WRONG_PARTITION");
        check(&mut bench, ORDERS, row, stranger.expect("a user of that partition"));
    }
}

/// The neighbours of what is refused.
#[test]
fn what_is_just_allowed_is_processed() {
    let nested = format!("{}{}", "[".repeat(62), "]".repeat(62));
    for (name, value) in [
        ("65,536 bytes", String::from_utf8(padded(65_536)).expect("UTF-8")),
        ("64 levels", GOOD.replacen(r#""n""#, &format!(r#""n","x":{nested}"#), 1)),
        ("128 bytes of text", GOOD.replacen(r#""n""#, &format!("\"{}\"", "~".repeat(128)), 1)),
        ("the greatest amount", GOOD.replacen(":5}", ":1000000000000000}", 1)),
        ("a later schema", GOOD.replacen('{', r#"{"schemaVersion":99,"#, 1)),
        ("unknown fields", GOOD.replacen(r#""n""#, r#""n","x":1e400,"y":{"日本":["\ud83d\ude00"]}"#, 1)),
    ] {
        let mut bench = Bench::over(MemoryState::new(), PARTITIONS, partition_for(b"7", PARTITIONS));
        let outputs = bench.run(ORDERS, record(Some(b"7"), Some(value.as_bytes()))).expect(name);
        assert_eq!(outputs[0].0, "account.events", "{name}");
    }
    let mut bench = Bench::over(MemoryState::new(), PARTITIONS, partition_for(b"7", PARTITIONS));
    let latest =
        OwnedRecord { timestamp_ms: WALL_MS + 86_400_000, ..record(Some(b"7"), Some(GOOD.as_bytes())) };
    assert_eq!(bench.run(ORDERS, latest).expect("processed")[0].0, "account.events", "24 h ahead");
}

/// An event id says nothing about what is asked for: an order is known by its user and its number.
#[test]
fn an_event_id_may_come_again_and_an_order_with_another_amount_may_not() {
    let mut bench = Bench::over(MemoryState::new(), PARTITIONS, partition_for(b"7", PARTITIONS));
    let mut run = |value: &str| {
        let outputs = bench.run(ORDERS, record(Some(b"7"), Some(value.as_bytes()))).expect("processed");
        outputs
            .into_iter()
            .map(|(topic, record)| (topic, text_of(&record.headers, "x-dlq-error-code")))
            .collect::<Vec<_>>()
    };
    let event = || ("account.events".to_owned(), String::new());
    assert_eq!(run(GOOD), [event()]);
    assert_eq!(
        run(&GOOD.replace(r#""orderId":1"#, r#""orderId":2"#)),
        [event()],
        "another order of the same event id"
    );
    assert_eq!(run(&GOOD.replace("e-1", "e-2")), [], "the same order of another event id");
    let conflict = ("deadletter.events".to_owned(), "ORDER_CONFLICT".to_owned());
    assert_eq!(run(&GOOD.replace(":5}", ":6}")), [conflict]);
}
