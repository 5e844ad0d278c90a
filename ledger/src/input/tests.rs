//! Decoding: every field by its type and in its order, every reason, borrowed where it can be.

use std::borrow::Cow;

use millpond_topology::{DecodeError, Deserializer};
use proptest::prelude::*;

use super::*;
use crate::ids::{OrderId, UserId};
use crate::money::{Amount, Currency, Fen};
use crate::reason::DeadLetter;

fn envelope(event_type: &str, payload: &str) -> String {
    format!(
        r#"{{"eventType":"{event_type}","eventId":"e-1","occurredAt":"2026-11-20T09:12:34Z","payload":{payload}}}"#
    )
}

fn order(text: &str) -> Result<OrderEvent<'_>, DecodeError> {
    OrderEventSerde.deserialize(text.as_bytes())
}

fn command(text: &str) -> Result<CommandEvent<'_>, DecodeError> {
    CommandEventSerde.deserialize(text.as_bytes())
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("in range")
}

fn order_id(id: u64) -> OrderId {
    OrderId::new(id).expect("in range")
}

fn amount(fen: i64) -> Amount {
    Amount::new(fen).expect("in range")
}

#[test]
fn order_events_are_decoded() {
    let full = envelope(
        "OrderCreated",
        r#"{"orderId":9223372036854775807,"orderNo":"N-1","userId":7,"amountFen":1000000000000000,
            "currency":"USD","items":[{"sku":"s","qty":1000000,"priceFen":0,"new":[{}]}],"idempotencyKey":"k",
            "new":{"a":[1.5,null]}}"#,
    );
    let created = OrderEvent::Created {
        user: user(7),
        order: order_id(u64::MAX / 2),
        amount: amount(Amount::FEN_MAX),
        currency: Currency::new(b"USD"),
    };
    assert_eq!(order(&full), Ok(created));
    let null = envelope(
        "OrderCreated",
        r#"{"idempotencyKey":null,"items":null,"currency":null,"amountFen":1,"userId":7,"orderNo":"n",
            "orderId":1}"#,
    );
    let created =
        OrderEvent::Created { user: user(7), order: order_id(1), amount: amount(1), currency: None };
    assert_eq!(order(&null), Ok(created), "null is absent, and the order of fields means nothing");
    assert_eq!(
        order(&envelope("OrderPaid", r#"{"userId":7,"orderId":8}"#)),
        Ok(OrderEvent::Paid { user: user(7), order: order_id(8) })
    );
    assert_eq!(
        order(&envelope("OrderCancelled", r#"{"orderId":8,"userId":7,"reason":"late"}"#)),
        Ok(OrderEvent::Cancelled { user: user(7), order: order_id(8) })
    );
    assert_eq!(
        order(&envelope("OrderRefundRequested", r#"{"orderId":8,"userId":7,"refundId":"r","amountFen":5}"#)),
        Ok(OrderEvent::RefundRequested {
            user: user(7),
            order: order_id(8),
            refund_id: "r".into(),
            amount: amount(5)
        })
    );
}

#[test]
fn commands_are_decoded() {
    assert_eq!(
        command(&envelope("OpenAccount", r#"{"userId":7}"#)),
        Ok(CommandEvent::Open { user: user(7), currency: Currency::CNY, overdraft: Fen::ZERO })
    );
    let open = envelope("OpenAccount", r#"{"userId":7,"currency":"EUR","overdraftFen":1000000000000000}"#);
    let currency = Currency::new(b"EUR").expect("a code");
    assert_eq!(
        command(&open),
        Ok(CommandEvent::Open { user: user(7), currency, overdraft: Fen::new(Amount::FEN_MAX) })
    );
    let moved = r#"{"userId":7,"amountFen":5,"currency":"EUR","reference":"r"}"#;
    let (amount, currency, reference) = (amount(5), Some(currency), Cow::from("r"));
    assert_eq!(
        command(&envelope("DepositFunds", moved)),
        Ok(CommandEvent::Deposit { user: user(7), amount, currency, reference: reference.clone() })
    );
    assert_eq!(
        command(&envelope("WithdrawFunds", moved)),
        Ok(CommandEvent::Withdraw { user: user(7), amount, currency, reference })
    );
    for (event_type, want) in [
        ("FreezeAccount", CommandEvent::Freeze { user: user(7), reason: None }),
        ("UnfreezeAccount", CommandEvent::Unfreeze { user: user(7), reason: None }),
        ("CloseAccount", CommandEvent::Close { user: user(7), reason: None }),
    ] {
        assert_eq!(command(&envelope(event_type, r#"{"userId":7,"reason":null}"#)), Ok(want));
    }
    let freeze = envelope("FreezeAccount", r#"{"userId":7,"reason":"fraud"}"#);
    assert_eq!(command(&freeze), Ok(CommandEvent::Freeze { user: user(7), reason: Some("fraud".into()) }));
}

#[test]
fn texts_are_borrowed_unless_they_have_escapes() {
    let refund = |id: &str| {
        envelope(
            "OrderRefundRequested",
            &format!(r#"{{"orderId":8,"userId":7,"refundId":"{id}","amountFen":5}}"#),
        )
    };
    let (plain, escaped) = (refund("AB"), refund(r"\u0041\u0042"));
    for (text, borrowed) in [(&plain, true), (&escaped, false)] {
        let Ok(OrderEvent::RefundRequested { refund_id, .. }) = order(text) else { panic!("{text}") };
        assert_eq!(refund_id, "AB");
        assert_eq!(matches!(refund_id, Cow::Borrowed(_)), borrowed);
    }
    let names = escaped.replace("refundId", r"refund\u0049d").replace("eventType", r"\u0065ventType");
    assert_eq!(order(&names), order(&plain), "names may be written with escapes too");
    let kind = plain.replace("OrderRefundRequested", r"Order\u0052efundRequested");
    assert_eq!(order(&kind), order(&plain));
}

fn code<T>(result: Result<T, DecodeError>) -> &'static str {
    result.map_or_else(|error| error.code, |_| "none")
}

/// Fields are judged in the order of the contract's table: each row breaks one field more from the right.
#[test]
fn the_first_wrong_field_names_the_reason() {
    let rows = [
        (
            "OrderCreated",
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"idempotencyKey":""}"#,
            "idempotencyKey",
        ),
        (
            "OrderCreated",
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":1,"idempotencyKey":""}"#,
            "items",
        ),
        (
            "OrderCreated",
            r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"currency":1,"items":1}"#,
            "currency",
        ),
        ("OrderCreated", r#"{"orderId":1,"orderNo":"n","userId":7,"currency":1}"#, "amountFen"),
        ("OrderCreated", r#"{"orderId":1,"orderNo":"n","amountFen":0}"#, "userId"),
        ("OrderCreated", r#"{"orderId":1,"userId":0}"#, "orderNo"),
        ("OrderCreated", r#"{"orderNo":1}"#, "orderId"),
        ("OrderPaid", r#"{"userId":1}"#, "orderId"),
        ("OrderPaid", r#"{}"#, "userId"),
        ("OrderCancelled", r#"{"orderId":1,"userId":1,"reason":1}"#, "reason"),
        ("OrderCancelled", r#"{"orderId":1,"reason":1}"#, "userId"),
        ("OrderCancelled", r#"{"reason":1}"#, "orderId"),
        ("OrderRefundRequested", r#"{"orderId":1,"userId":1,"refundId":"r"}"#, "amountFen"),
        ("OrderRefundRequested", r#"{"orderId":1,"userId":1}"#, "refundId"),
        ("OrderRefundRequested", r#"{"orderId":1}"#, "userId"),
        ("OrderRefundRequested", r#"{}"#, "orderId"),
    ];
    for (event_type, payload, field) in rows {
        let error = order(&envelope(event_type, payload)).expect_err(payload);
        assert!(error.message.contains(&format!("`payload.{field}`")), "{payload}: {error}");
    }
    let rows = [
        ("OpenAccount", r#"{"userId":1,"overdraftFen":-1}"#, "overdraftFen"),
        ("OpenAccount", r#"{"userId":1,"currency":"cny","overdraftFen":-1}"#, "currency"),
        ("OpenAccount", r#"{"currency":"cny"}"#, "userId"),
        ("DepositFunds", r#"{"userId":1,"amountFen":1}"#, "reference"),
        ("DepositFunds", r#"{"userId":1,"amountFen":1,"currency":[]}"#, "currency"),
        ("WithdrawFunds", r#"{"userId":1,"currency":[]}"#, "amountFen"),
        ("WithdrawFunds", r#"{}"#, "userId"),
        ("CloseAccount", r#"{"userId":1,"reason":""}"#, "reason"),
        ("FreezeAccount", r#"{"reason":""}"#, "userId"),
    ];
    for (event_type, payload, field) in rows {
        let error = command(&envelope(event_type, payload)).expect_err(payload);
        assert!(error.message.contains(&format!("`payload.{field}`")), "{payload}: {error}");
    }
}

#[test]
fn types_accept_what_the_table_says() {
    let with = |field: &str, value: &str| {
        let mut fields = vec![("orderId", "1"), ("orderNo", "\"n\""), ("userId", "7"), ("amountFen", "1")];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let members: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        code(order(&envelope("OrderCreated", &format!("{{{}}}", members.join(",")))))
    };
    let long = |count: usize| format!("\"{}\"", "x".repeat(count));
    let items = |count: usize| format!("[{}]", vec![r#"{"sku":"s","qty":1,"priceFen":1}"#; count].join(","));
    for (field, value, want) in [
        ("userId", "9223372036854775807", "none"),
        ("userId", "9223372036854775808", "BAD_FIELD"),
        ("userId", "99999999999999999999999999999999", "BAD_FIELD"),
        ("userId", "0", "BAD_FIELD"),
        ("userId", "-1", "BAD_FIELD"),
        ("userId", "1.0", "BAD_FIELD"),
        ("userId", "1e0", "BAD_FIELD"),
        ("userId", "\"1\"", "BAD_FIELD"),
        ("userId", "null", "BAD_FIELD"),
        ("userId", "true", "BAD_FIELD"),
        ("userId", "[1]", "BAD_FIELD"),
        ("amountFen", "1000000000000000", "none"),
        ("amountFen", "1000000000000001", "AMOUNT_OUT_OF_RANGE"),
        ("amountFen", "9223372036854775808", "AMOUNT_OUT_OF_RANGE"),
        ("amountFen", "111111111111111111111111111111111111111111", "AMOUNT_OUT_OF_RANGE"),
        ("amountFen", "0", "AMOUNT_OUT_OF_RANGE"),
        ("amountFen", "-5", "AMOUNT_OUT_OF_RANGE"),
        ("amountFen", "-0", "BAD_FIELD"),
        ("amountFen", "5.0", "BAD_FIELD"),
        ("amountFen", "5e0", "BAD_FIELD"),
        ("amountFen", "1e400", "BAD_FIELD"),
        ("amountFen", "\"5\"", "BAD_FIELD"),
        ("amountFen", "null", "BAD_FIELD"),
        ("orderNo", &long(128), "none"),
        ("orderNo", &long(129), "BAD_FIELD"),
        ("orderNo", "\"\"", "BAD_FIELD"),
        ("orderNo", "\" ~\"", "none"),
        ("orderNo", "\"é\"", "BAD_FIELD"),
        ("orderNo", "\"\u{7f}\"", "BAD_FIELD"),
        ("orderNo", r#""\n""#, "BAD_FIELD"),
        ("orderNo", r#""\u00e9""#, "BAD_FIELD"),
        ("orderNo", r#""\u007e\"\\\/""#, "none"),
        ("currency", "\"USD\"", "none"),
        ("currency", "\"US\"", "BAD_FIELD"),
        ("currency", "\"usd\"", "BAD_FIELD"),
        ("currency", "5", "BAD_FIELD"),
        ("items", "[]", "none"),
        ("items", &items(1000), "none"),
        ("items", &items(1001), "BAD_FIELD"),
        ("items", "{}", "BAD_FIELD"),
        ("items", "[1]", "BAD_FIELD"),
        ("items", "[null]", "BAD_FIELD"),
        ("items", "[{}]", "MISSING_FIELD"),
        ("items", r#"[{"sku":"","priceFen":-1}]"#, "BAD_FIELD"),
        ("items", r#"[{"sku":"s","priceFen":-1}]"#, "MISSING_FIELD"),
        ("items", r#"[{"sku":"s","qty":0,"priceFen":-1}]"#, "BAD_FIELD"),
        ("items", r#"[{"sku":"s","qty":1000001,"priceFen":-1}]"#, "BAD_FIELD"),
        ("items", r#"[{"sku":"s","qty":1,"priceFen":-1},{}]"#, "AMOUNT_OUT_OF_RANGE"),
        ("items", r#"[{"sku":"s","qty":1,"priceFen":1.5}]"#, "BAD_FIELD"),
        ("items", r#"[{"sku":"s","qty":1,"priceFen":1,"sku":"s"}]"#, "DUPLICATE_FIELD"),
        ("idempotencyKey", "null", "none"),
    ] {
        assert_eq!(with(field, value), want, "{field}: {value}");
    }
}

/// Of two things that are wrong, the one whose rule comes first is named.
#[test]
fn rules_are_applied_in_their_order() {
    let good = envelope("OrderPaid", r#"{"userId":1,"orderId":1}"#);
    let with = |from: &str, to: &str| good.replacen(from, to, 1);
    for (text, want) in [
        (with("}}", r#"},"a":1,"a":2,"b":"\u0000"} x"#), "NOT_JSON"),
        (r#"[{"a":1,"a":2}]"#.to_owned(), "NOT_AN_OBJECT"),
        (r#"["\u0000"]"#.to_owned(), "NOT_AN_OBJECT"),
        (with("}}", r#"},"b":"\u0000","a":1,"\u0061":2}"#), "DUPLICATE_FIELD"),
        (with(r#""eventType":"OrderPaid""#, r#""b":"\u0000""#), "BAD_FIELD"),
        (with("}}", r#"},"\u0000":1}"#), "BAD_FIELD"),
        (with(r#""eventType":"OrderPaid","eventId":"e-1""#, r#""c":1"#), "MISSING_FIELD"),
        (with(r#""OrderPaid","eventId":"e-1""#, r#"null"#), "BAD_FIELD"),
        (with(r#""OrderPaid","eventId":"e-1""#, r#""OpenAccount""#), "UNKNOWN_EVENT_TYPE"),
        (with(r#""OrderPaid","eventId":"e-1""#, r#""orderpaid""#), "UNKNOWN_EVENT_TYPE"),
        (with(r#""e-1","occurredAt":"2026-11-20T09:12:34Z""#, r#""""#), "BAD_FIELD"),
        (
            with(r#""eventId":"e-1","occurredAt":"2026-11-20T09:12:34Z""#, r#""occurredAt":1"#),
            "MISSING_FIELD",
        ),
        (
            with(r#""2026-11-20T09:12:34Z","payload":{"userId":1,"orderId":1}"#, r#""2026-11-20""#),
            "BAD_FIELD",
        ),
        (with(r#","payload":{"userId":1,"orderId":1}"#, ""), "MISSING_FIELD"),
        (with(r#"{"userId":1,"orderId":1}"#, "[]"), "BAD_FIELD"),
        (with(r#"{"userId":1,"orderId":1}"#, "null"), "BAD_FIELD"),
        (with(r#"{"userId":1,"orderId":1}"#, "{}"), "MISSING_FIELD"),
        (good.clone(), "none"),
    ] {
        assert_eq!(code(order(&text)), want, "{text}");
    }
}

#[test]
fn a_key_must_be_there() {
    assert_eq!(RecordKey.deserialize(b"12"), Ok(&b"12"[..]));
    assert_eq!(code(RecordKey.deserialize(b"")), "MISSING_KEY");
    assert_eq!(code(RecordKey.absent("MISSING_KEY")), "MISSING_KEY");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Whatever the bytes, there is an event or a reason of the closed list, and never a panic.
    #[test]
    fn broken_bytes_have_a_reason_of_the_list(
        cut in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        commands in any::<bool>(),
    ) {
        let text = if commands {
            envelope("DepositFunds", r#"{"userId":7,"amountFen":5,"currency":"EUR","reference":"a\u0041"}"#)
        } else {
            envelope("OrderCreated", r#"{"orderId":1,"orderNo":"n","userId":7,"amountFen":1,"items":[{}]}"#)
        };
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() * 4) + 1);
        let code = match commands {
            true => code(CommandEventSerde.deserialize(&bytes)),
            false => code(OrderEventSerde.deserialize(&bytes)),
        };
        prop_assert!(code == "none" || DeadLetter::ALL.iter().any(|reason| reason.name() == code), "{code}");
    }

    /// A document whose members come in any order, with white space and unknown members between, means the
    /// same.
    #[test]
    fn the_order_of_members_means_nothing(
        order_number in 1u64..=OrderId::MAX, user_number in 1u64..=UserId::MAX, fen in 1i64..=Amount::FEN_MAX,
        inner in Just([0usize, 1, 2, 3, 4]).prop_shuffle(),
        outer in Just([0usize, 1, 2, 3, 4]).prop_shuffle(),
        space in "[ \t\r\n]{0,3}",
    ) {
        let join = |members: &[String], order: &[usize]| {
            let chosen: Vec<_> = order.iter().map(|at| members[*at].clone()).collect();
            format!("{{{space}{}{space}}}", chosen.join(&format!("{space},{space}")))
        };
        let payload = join(&[
            format!("\"orderId\"{space}:{space}{order_number}"), "\"orderNo\":\"n\"".to_owned(),
            format!("\"userId\":{user_number}"), format!("\"amountFen\":{fen}"),
            "\"x\":{\"userId\":[1.5e3]}".to_owned(),
        ], &inner);
        let text = join(&[
            "\"eventType\":\"OrderCreated\"".to_owned(), "\"eventId\":\"e\"".to_owned(),
            "\"occurredAt\":\"2026-11-20T09:12:34Z\"".to_owned(), format!("\"payload\":{payload}"),
            "\"y\":null".to_owned(),
        ], &outer);
        let want = OrderEvent::Created {
            user: user(user_number), order: order_id(order_number), amount: amount(fen), currency: None,
        };
        let text = format!("{space}{text}{space}");
        prop_assert_eq!(order(&text), Ok(want));
    }
}
