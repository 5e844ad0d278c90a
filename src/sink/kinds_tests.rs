//! What is understood and what is not.

use super::*;

fn event(event_type: &str, payload: &str) -> String {
    format!(
        r#"{{"eventType":"{event_type}","eventId":"0190f3c8-0000-5000-8000-000000000001",
        "occurredAt":"2026-11-20T09:12:34.123Z","added":[1,{{}}],
        "source":{{"topic":"order.events","partition":3,"offset":4711}},"payload":{payload}}}"#
    )
}

fn code(json: &str) -> &'static str {
    decode(Some(json.as_bytes())).expect_err("must be rejected").code
}

#[test]
fn every_event_type_of_the_contract_is_understood() {
    let account = r#""accountId":7,"userId":7,"accountVersion":2"#;
    let moved = format!(r#"{account},"balanceAfterFen":5,"currency":"CNY""#);
    for (event_type, payload) in [
        ("AccountOpened", format!(r#"{{{account},"currency":"CNY","overdraftFen":0}}"#)),
        ("AccountCredited", format!(r#"{{{moved},"reference":"r","deltaFen":5}}"#)),
        ("AccountDebited", format!(r#"{{{moved},"orderId":9,"deltaFen":-5}}"#)),
        ("AccountDebited", format!(r#"{{{moved},"reference":"w","deltaFen":-5}}"#)),
        (
            "AccountRefunded",
            format!(r#"{{{moved},"orderId":9,"refundId":null,"deltaFen":5,"refundedTotalFen":5}}"#),
        ),
        ("AccountFrozen", format!(r#"{{{account},"reason":null}}"#)),
        ("AccountUnfrozen", format!("{{{account}}}")),
        ("AccountClosed", format!("{{{account}}}")),
        (
            "DebitFailed",
            r#"{"userId":7,"orderId":9,"amountFen":3,"reason":"X","balanceFen":null}"#.to_owned(),
        ),
        ("CommandRejected", r#"{"userId":7,"command":"OpenAccount","reason":"ACCOUNT_EXISTS"}"#.to_owned()),
    ] {
        let json = event(event_type, &payload);
        let event = decode(Some(json.as_bytes())).expect(event_type);
        assert_eq!((event.user_id, event.source.offset), (7, 4711));
    }
}

#[test]
fn escapes_are_decoded_and_plain_text_is_borrowed() {
    let json = event("CommandRejected", r#"{"userId":7,"command":"C","reason":"a\"b"}"#);
    let event = decode(Some(json.as_bytes())).expect("valid");
    let Kind::CommandRejected { command, reason, .. } = event.kind else { panic!("wrong kind") };
    assert!(matches!(command.0, std::borrow::Cow::Borrowed("C")));
    assert_eq!(reason.0, "a\"b");
}

#[test]
fn each_defect_has_its_code() {
    let credit = |delta: &str, version: &str| {
        event(
            "AccountCredited",
            &format!(
                r#"{{"accountId":7,"userId":7,"accountVersion":{version},"reference":"r",
                "deltaFen":{delta},"balanceAfterFen":5,"currency":"CNY"}}"#
            ),
        )
    };
    decode(Some(credit("5", "1").as_bytes())).expect("the sound one is understood");
    assert_eq!(decode(None).expect_err("null").code, "NULL_VALUE");
    for (json, expected) in [
        ("{".to_owned(), "NOT_JSON"),
        ("\u{feff}{}".to_owned(), "NOT_JSON"),
        (credit("5", "1") + "x", "NOT_JSON"),
        ("[1]".to_owned(), "NOT_AN_OBJECT"),
        ("null".to_owned(), "NOT_AN_OBJECT"),
        ("{}".to_owned(), "MISSING_FIELD"),
        (event("AccountOpened", "[7]"), "BAD_FIELD"),
        (event("AccountOpened", r#"{"userId":7,"userId":7}"#), "DUPLICATE_FIELD"),
        (event("AccountFrozen", r#"{"userId":7,"accountVersion":1}"#), "MISSING_FIELD"),
        (event("AccountMelted", r#"{"userId":7}"#), "UNKNOWN_EVENT_TYPE"),
        (credit("5.0", "1"), "BAD_FIELD"),
        (credit("\"5\"", "1"), "BAD_FIELD"),
        (credit("-5", "1"), "BAD_FIELD"),
        (credit("0", "1"), "BAD_FIELD"),
        (credit("9223372036854775808", "1"), "BAD_FIELD"),
        (credit("5", "0"), "BAD_FIELD"),
        (credit("5", "1").replace("\"r\"", r#""a\u0000b""#), "BAD_FIELD"),
        (credit("5", "1").replace("2026-11-20T09:12:34.123Z", "now"), "BAD_FIELD"),
        (credit("5", "1").replace("0190f3c8", "0190f3cz"), "BAD_FIELD"),
    ] {
        assert_eq!(code(&json), expected, "{json}");
    }
}

#[test]
fn timestamps_have_one_shape() {
    for good in ["2026-11-20T09:12:34Z", "2026-11-20T09:12:34.1Z", "2026-11-20T09:12:34.123456789Z"] {
        assert!(is_timestamp(good), "{good}");
    }
    for bad in
        ["", "now", "2026-11-20", "2026-11-20T09:12:34", "2026-11-20T09:12:34.Z", "2026-11-20 09:12:34Z"]
    {
        assert!(!is_timestamp(bad), "{bad}");
    }
}
