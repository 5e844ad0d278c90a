//! What is JSON and what is not.

use super::{Node, parse};

fn is_json(text: &str) -> bool {
    parse(text.as_bytes()).is_some()
}

#[test]
fn accepts_what_the_grammar_allows() {
    for text in [
        "{}",
        " \t\r\n[1, -0, 1e400, 0.5, -1E+5] \n",
        r#""\u00e9\ud83d\ude00\/\b""#,
        "null",
        "[[],{}]",
        "\"\u{10ffff}\"",
    ] {
        assert!(is_json(text), "{text}");
    }
}

#[test]
fn refuses_what_the_grammar_forbids() {
    for text in [
        "",
        " ",
        "{",
        "{}{}",
        "{} x",
        "{\"a\":1,}",
        "[1,]",
        "[,]",
        "{a:1}",
        "01",
        "-01",
        "+5",
        ".5",
        "5.",
        "1e",
        "NaN",
        "-",
        "tru",
        "\"a\nb\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\u{feff}{}",
        "'a'",
        "{\"a\" 1}",
        "\"a",
        "\"\\\"",
        "{\"a\":1 \"b\":2}",
        "\u{a0}{}",
    ] {
        assert!(!is_json(text), "{text:?}");
    }
    assert!(parse(b"\"\xc3\x28\"").is_none() && parse(b"\"\xed\xa0\x80\"").is_none());
}

#[test]
fn nesting_stops_at_sixty_four() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(is_json(&nested(64)));
    assert!(!is_json(&nested(65)));
    let objects = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    assert!(!is_json(&objects));
}

#[test]
fn sees_duplicate_keys_also_when_escaped_deep_or_among_many() {
    let duplicate = |text: &str| parse(text.as_bytes()).map(|d| d.has_duplicate_key);
    assert_eq!(duplicate(r#"{"a":1,"b":{"a":2}}"#), Some(false));
    assert_eq!(duplicate(r#"{"a":1,"\u0061":2}"#), Some(true));
    assert_eq!(duplicate(r#"{"x":[{"a":1,"a":1}]}"#), Some(true));
    let many = |last: usize| {
        let members: Vec<String> = (0..40).chain([last]).map(|i| format!("\"k{i}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(duplicate(&many(40)), Some(false));
    assert_eq!(duplicate(&many(7)), Some(true));
}

#[test]
fn sees_nul_in_values_and_keys() {
    let nul = |text: &str| parse(text.as_bytes()).map(|d| d.has_nul);
    assert_eq!(nul(r#"{"a":"b\u0001"}"#), Some(false));
    assert_eq!(nul(r#"{"a":"b\u0000"}"#), Some(true));
    assert_eq!(nul(r#"{"a\u0000":1}"#), Some(true));
}

#[test]
fn integer_tokens_are_exact() {
    assert_eq!(Node::Number("12").integer(), Some(12));
    for token in ["-0", "1.0", "1e3", "9223372036854775808"] {
        assert_eq!(Node::Number(token).integer(), None, "{token}");
    }
    assert_eq!(Node::Number("9223372036854775808").integer_token(), Some("9223372036854775808"));
}
