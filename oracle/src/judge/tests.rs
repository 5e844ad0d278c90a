//! The catalogue of bad input: one case per rule, and which rule wins when two are broken.

use super::{Candidate, judge};
use crate::code::Code;
use crate::event::{Body, Currency};
use crate::place::Side;

const ENVELOPE: &str = r#""eventId":"e1","occurredAt":"2026-11-20T09:12:34.123Z""#;

fn verdict(side: Side, key: &str, value: &str) -> Result<(u64, Body), Code> {
    let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
    judge(&Candidate { side, partition: 0, partitions: 1, timestamp_ms: 1, key, value })
}

fn event(name: &str, payload: &str) -> String {
    format!(r#"{{"eventType":"{name}",{ENVELOPE},"payload":{payload}}}"#)
}

fn order(payload: &str) -> Result<(u64, Body), Code> {
    verdict(Side::Orders, "7", &event("OrderCreated", payload))
}

fn command(name: &str, payload: &str) -> Result<(u64, Body), Code> {
    verdict(Side::Commands, "7", &event(name, payload))
}

#[test]
fn reads_every_event_type() {
    let created = r#"{"orderId":9223372036854775807,"orderNo":"N 1","userId":7,"amountFen":1000000000000000,
        "currency":null,"items":[{"sku":"s","qty":1000000,"priceFen":0,"more":[]}],
        "idempotencyKey":"k","new":{}}"#;
    let body =
        Body::OrderCreated { order: i64::MAX.cast_unsigned(), amount: 1_000_000_000_000_000, currency: None };
    assert_eq!(order(created), Ok((7, body)));
    let read = |name, payload| verdict(Side::Orders, "7", &event(name, payload)).map(|(_, body)| body);
    assert_eq!(read("OrderPaid", r#"{"userId":7,"orderId":1}"#), Ok(Body::OrderPaid));
    let cancelled = read("OrderCancelled", r#"{"userId":7,"orderId":1,"reason":null}"#);
    assert_eq!(cancelled, Ok(Body::OrderCancelled { order: 1 }));
    let refund = read("OrderRefundRequested", r#"{"userId":7,"orderId":1,"refundId":"r","amountFen":5}"#);
    assert_eq!(refund, Ok(Body::OrderRefundRequested { order: 1, refund: "r".into(), amount: 5 }));
    let open = command("OpenAccount", r#"{"userId":7}"#);
    assert_eq!(open, Ok((7, Body::OpenAccount { currency: Currency::DEFAULT, overdraft: 0 })));
    let deposit = command("DepositFunds", r#"{"userId":7,"amountFen":1,"currency":"USD","reference":"d"}"#);
    let currency = Currency::from_text("USD");
    assert_eq!(deposit, Ok((7, Body::DepositFunds { amount: 1, currency, reference: "d".into() })));
    let withdraw = command("WithdrawFunds", r#"{"userId":7,"amountFen":1,"reference":"d"}"#);
    assert_eq!(withdraw, Ok((7, Body::WithdrawFunds { amount: 1, currency: None, reference: "d".into() })));
    let frozen = command("FreezeAccount", r#"{"userId":7,"reason":"x"}"#);
    assert_eq!(frozen, Ok((7, Body::FreezeAccount { reason: Some("x".into()) })));
    assert_eq!(command("CloseAccount", r#"{"userId":7}"#), Ok((7, Body::CloseAccount { reason: None })));
    assert_eq!(
        command("UnfreezeAccount", r#"{"userId":7}"#),
        Ok((7, Body::UnfreezeAccount { reason: None }))
    );
}

#[test]
fn rules_before_the_json_win_in_their_order() {
    let good = event("OpenAccount", r#"{"userId":7}"#);
    let large = " ".repeat(65_537);
    let case = |timestamp_ms, key: Option<&str>, value: Option<&str>| {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        judge(&Candidate { side: Side::Commands, partition: 0, partitions: 1, timestamp_ms, key, value })
            .err()
    };
    assert_eq!(case(-1, None, None), Some(Code::InvalidTimestamp));
    assert_eq!(case(0, None, None), Some(Code::NullValue));
    assert_eq!(case(0, None, Some(&large)), Some(Code::TooLarge));
    assert_eq!(case(0, None, Some("x")), Some(Code::MissingKey));
    assert_eq!(case(0, Some(""), Some(&good)), Some(Code::MissingKey));
    assert_eq!(case(0, Some("7"), Some("")), Some(Code::NotJson));
    let filled = format!("{good}{}", " ".repeat(65_536 - good.len()));
    assert_eq!(case(0, Some("7"), Some(&filled)), None);
    assert_eq!(case(0, Some("07"), Some(&good)), Some(Code::KeyMismatch));
    assert_eq!(case(0, Some("7"), Some(&format!("{good}{{}}"))), Some(Code::NotJson));
    assert_eq!(case(0, Some("7"), Some(&format!("\u{feff}{good}"))), Some(Code::NotJson));
}

#[test]
fn envelope_rules_win_in_their_order() {
    let case = |value: &str| verdict(Side::Orders, "7", value).err();
    assert_eq!(case(r#"[{"a":1,"a":1}]"#), Some(Code::NotAnObject));
    assert_eq!(case(r#"{"x":{"a":1,"a":"\u0000"}}"#), Some(Code::DuplicateField));
    assert_eq!(case(r#"{"x":"\u0000"}"#), Some(Code::BadField));
    assert_eq!(case("{}"), Some(Code::MissingField));
    assert_eq!(case(r#"{"eventType":null}"#), Some(Code::BadField));
    assert_eq!(case(r#"{"eventType":"OpenAccount"}"#), Some(Code::UnknownEventType));
    assert_eq!(case(r#"{"eventType":"OrderPaid"}"#), Some(Code::MissingField));
    assert_eq!(case(r#"{"eventType":"OrderPaid","eventId":""}"#), Some(Code::BadField));
    assert_eq!(case(r#"{"eventType":"OrderPaid","eventId":"e"}"#), Some(Code::MissingField));
    assert_eq!(case(r#"{"eventType":"OrderPaid","eventId":"e","occurredAt":1}"#), Some(Code::BadField));
    assert_eq!(case(&format!(r#"{{"eventType":"OrderPaid",{ENVELOPE}}}"#)), Some(Code::MissingField));
    assert_eq!(case(&event("OrderPaid", "[]")), Some(Code::BadField));
    let long = event("OrderPaid", r#"{"userId":7,"orderId":1}"#).replace("e1", &"e".repeat(129));
    assert_eq!(case(&long), Some(Code::BadField));
}

#[test]
fn payload_fields_are_checked_in_the_documented_order() {
    for (payload, code) in [
        ("{}", Code::MissingField),
        (r#"{"orderId":"1"}"#, Code::BadField),
        (r#"{"orderId":0}"#, Code::BadField),
        (r#"{"orderId":-0}"#, Code::BadField),
        (r#"{"orderId":1.0}"#, Code::BadField),
        (r#"{"orderId":9223372036854775808}"#, Code::BadField),
        (r#"{"orderId":1,"amountFen":0}"#, Code::MissingField),
        (r#"{"orderId":1,"orderNo":"é"}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","amountFen":0}"#, Code::MissingField),
        (r#"{"orderId":1,"orderNo":"n","userId":7}"#, Code::MissingField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1e3}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":"5"}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":null}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":0}"#, Code::AmountOutOfRange),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":-5}"#, Code::AmountOutOfRange),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1000000000000001}"#, Code::AmountOutOfRange),
        (
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":99999999999999999999}"#,
            Code::AmountOutOfRange,
        ),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"currency":"cny"}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":{}}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":[1]}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":[{}]}"#, Code::MissingField),
        (
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":[{"sku":"s","qty":0}]}"#,
            Code::BadField,
        ),
        (
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,
                "items":[{"sku":"s","qty":1,"priceFen":-1}]}"#,
            Code::AmountOutOfRange,
        ),
        (r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"idempotencyKey":""}"#, Code::BadField),
        (r#"{"orderId":1,"orderNo":"n","userId":8,"amountFen":1}"#, Code::KeyMismatch),
    ] {
        assert_eq!(order(payload), Err(code), "{payload}");
    }
    assert_eq!(command("OpenAccount", r#"{"userId":7,"overdraftFen":-1}"#), Err(Code::AmountOutOfRange));
    assert_eq!(command("DepositFunds", r#"{"userId":7,"amountFen":1}"#), Err(Code::MissingField));
    assert_eq!(command("FreezeAccount", r#"{"userId":7,"reason":""}"#), Err(Code::BadField));
}

#[test]
fn a_thousand_items_pass_and_one_more_does_not() {
    let with = |count: usize| {
        let items = vec![r#"{"sku":"s","qty":1,"priceFen":1}"#; count].join(",");
        order(&format!(r#"{{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":[{items}]}}"#)).err()
    };
    assert_eq!(with(1_000), None);
    assert_eq!(with(1_001), Some(Code::BadField));
}

#[test]
fn a_record_on_another_partition_is_named_last() {
    let value = event("OpenAccount", r#"{"userId":7}"#);
    let right = crate::murmur2::partition_of(b"7", 4);
    for partition in 0..4 {
        let (key, value) = (Some(&b"7"[..]), Some(value.as_bytes()));
        let side = Side::Commands;
        let verdict = judge(&Candidate { side, partition, partitions: 4, timestamp_ms: 1, key, value });
        assert_eq!(verdict.err(), (partition != right).then_some(Code::WrongPartition));
    }
}
