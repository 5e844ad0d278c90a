//! The exact bytes of every output event. The event ids were computed by Python's `uuid.uuid5`.

use std::collections::BTreeMap;

use millpond_topology::{MemoryState, OwnedRecord};

use crate::bench::Bench;
use crate::input::{Input, ORDERS, WALL_MS, What};

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_event_has_its_bytes() {
    let rows = [
        (
            What::Withdraw { amount: 5, currency: None, reference: "w-1".into() },
            ("CommandRejected", "c8362038-2486-5d06-853a-12f92695ef89"),
            r#"{"userId":7,"command":"WithdrawFunds","reference":"w-1","reason":"ACCOUNT_NOT_FOUND"}"#,
        ),
        (
            What::Created { order: 1, amount: 250, currency: None },
            ("DebitFailed", "0f17d4bc-ed5b-5c3d-9a27-637330a35218"),
            r#"{"userId":7,"orderId":1,"amountFen":250,"reason":"ACCOUNT_NOT_FOUND","balanceFen":null}"#,
        ),
        (
            What::Open { currency: None, overdraft: Some(50) },
            ("AccountOpened", "ff218bcf-d49f-5602-9826-9bcaa2800cdf"),
            r#"{"accountId":7,"userId":7,"currency":"CNY","overdraftFen":50,"accountVersion":1}"#,
        ),
        (
            What::Deposit { amount: 1000, currency: None, reference: "d \"1\" \\".into() },
            ("AccountCredited", "b7bef3c9-103b-582c-97d5-5dcd5fa3990b"),
            concat!(
                r#"{"accountId":7,"userId":7,"reference":"d \"1\" \\","deltaFen":1000,"#,
                r#""balanceAfterFen":1000,"currency":"CNY","accountVersion":2}"#
            ),
        ),
        (
            What::Created { order: 9_223_372_036_854_775_807, amount: 1040, currency: None },
            ("AccountDebited", "0e4bbfe0-8499-51ec-9a90-840a5459f498"),
            concat!(
                r#"{"accountId":7,"userId":7,"orderId":9223372036854775807,"deltaFen":-1040,"#,
                r#""balanceAfterFen":-40,"currency":"CNY","accountVersion":3}"#
            ),
        ),
        (
            What::Created { order: 2, amount: 11, currency: None },
            ("DebitFailed", "f82aaab8-f599-5288-9ef7-d61c9b0fe015"),
            concat!(
                r#"{"userId":7,"orderId":2,"amountFen":11,"reason":"INSUFFICIENT_BALANCE","#,
                r#""balanceFen":-40}"#
            ),
        ),
        (
            What::Refund { order: 9_223_372_036_854_775_807, refund: "r-1".into(), amount: 60 },
            ("AccountRefunded", "56cabd79-3867-527b-8bba-6ef6930ae2f2"),
            concat!(
                r#"{"accountId":7,"userId":7,"orderId":9223372036854775807,"refundId":"r-1","deltaFen":60,"#,
                r#""balanceAfterFen":20,"refundedTotalFen":60,"currency":"CNY","accountVersion":4}"#
            ),
        ),
        (
            What::Refund { order: 2, refund: "r-2".into(), amount: 60 },
            ("CommandRejected", "15a62a42-f643-5f06-ae5d-2070ad4cd3b1"),
            concat!(
                r#"{"userId":7,"command":"OrderRefundRequested","refundId":"r-2","orderId":2,"#,
                r#""reason":"ORDER_NOT_DEBITED"}"#
            ),
        ),
        (
            What::Withdraw { amount: 20, currency: Some("CNY"), reference: "w-2".into() },
            ("AccountDebited", "ce9f7c79-24b9-57f8-bfe1-bd203f6981ec"),
            concat!(
                r#"{"accountId":7,"userId":7,"reference":"w-2","deltaFen":-20,"balanceAfterFen":0,"#,
                r#""currency":"CNY","accountVersion":5}"#
            ),
        ),
        (
            What::Freeze { reason: Some("fraud") },
            ("AccountFrozen", "d9571b79-7604-5afb-a60d-b747f3057b00"),
            r#"{"accountId":7,"userId":7,"reason":"fraud","accountVersion":6}"#,
        ),
        (
            What::Unfreeze { reason: None },
            ("AccountUnfrozen", "315ad4d2-8dd1-57f6-8a53-548b2cc2e5f9"),
            r#"{"accountId":7,"userId":7,"reason":null,"accountVersion":7}"#,
        ),
        (
            What::Close { reason: None },
            ("AccountClosed", "28c6b4a6-04e1-5f88-8c64-809ee612c146"),
            r#"{"accountId":7,"userId":7,"reason":null,"accountVersion":8}"#,
        ),
        (
            What::Cancelled { order: 9_223_372_036_854_775_807 },
            ("AccountRefunded", "3c503ad2-4551-5bc4-8a81-adf7ec4c3156"),
            concat!(
                r#"{"accountId":7,"userId":7,"orderId":9223372036854775807,"refundId":null,"deltaFen":980,"#,
                r#""balanceAfterFen":980,"refundedTotalFen":1040,"currency":"CNY","accountVersion":9}"#
            ),
        ),
        (
            What::Freeze { reason: None },
            ("CommandRejected", "1754808c-b4bd-5767-95c7-c8e46b918587"),
            r#"{"userId":7,"command":"FreezeAccount","reason":"ACCOUNT_CLOSED"}"#,
        ),
    ];
    let mut bench = Bench::over(MemoryState::new(), 1, 0);
    let mut offsets = BTreeMap::new();
    for (what, (name, id), payload) in rows {
        let input = Input::new(7, what);
        let outputs = bench.run(input.topic(), input.record(WALL_MS)).expect("processed");
        assert_eq!(outputs.len(), 1, "{input:?}");
        let (topic, record) = &outputs[0];
        assert_eq!(topic, "account.events");
        let value = String::from_utf8(record.value.clone().expect("a value")).expect("UTF-8");
        let offset: &mut i64 = offsets.entry(input.topic()).or_default();
        let topic = input.topic();
        let time = "2026-11-20T09:12:34.123Z";
        let head = format!(r#"{{"eventType":"{name}","eventId":"{id}","occurredAt":"{time}""#);
        let source = format!(r#"{{"topic":"{topic}","partition":0,"offset":{offset}}}"#);
        assert_eq!(value, format!(r#"{head},"source":{source},"payload":{payload}}}"#));
        *offset += 1;
        assert_eq!((record.key.as_deref(), record.timestamp_ms), (Some(&b"7"[..]), WALL_MS));
        assert_eq!(record.headers, []);
    }
}

#[test]
fn the_last_traceparent_travels_along() {
    let mut bench = Bench::over(MemoryState::new(), 1, 0);
    let mut record = Input::new(7, What::Created { order: 1, amount: 1, currency: None }).record(WALL_MS);
    let header = |name: &str, value: &str| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    record.headers =
        vec![header("traceparent", "old"), header("other", "x"), header("traceparent", "00-ab-cd-01")];
    let outputs = bench.run(ORDERS, record).expect("processed");
    assert_eq!(outputs[0].1.headers, [header("traceparent", "00-ab-cd-01")]);
    let second = OwnedRecord {
        offset: 0,
        headers: vec![header("other", "x")],
        ..Input::new(7, What::Created { order: 2, amount: 1, currency: None }).record(WALL_MS)
    };
    assert_eq!(bench.run(ORDERS, second).expect("processed")[0].1.headers, []);
}
