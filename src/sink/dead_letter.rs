//! Rows of `dead_letters`: letters written by processors, and records the sink itself gave up.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::batch::View;
use super::kinds::Rejection;

/// One row of `dead_letters`.
#[derive(Debug)]
pub(super) struct Letter<'a> {
    pub(super) app: Cow<'a, str>,
    pub(super) topic: Cow<'a, str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) origin: &'static str,
    pub(super) code: Cow<'a, str>,
    pub(super) exception: Option<Cow<'a, str>>,
    pub(super) message: Cow<'a, str>,
    /// JSON array of `{name, value | hex}`.
    pub(super) headers: String,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) attempts: Option<i32>,
    pub(super) redrive_count: Option<i32>,
    pub(super) first_failure_at: Option<Cow<'a, str>>,
    pub(super) timestamp_ms: Option<i64>,
    /// Partition and offset in the topic of dead letters, when the letter came by it.
    pub(super) letter: Option<(i32, i64)>,
}

impl<'a> Letter<'a> {
    /// A record that the sink cannot process, at its own position.
    pub(super) fn own(app: &'a str, view: View<'a>, rejection: Rejection) -> Self {
        Self {
            app: Cow::Borrowed(app),
            topic: Cow::Borrowed(&view.partition.topic),
            partition: view.partition.number,
            offset: view.record.offset,
            origin: "sink",
            code: Cow::Borrowed(rejection.code),
            exception: None,
            message: Cow::Owned(storable(rejection.message.into()).into_owned()),
            headers: headers_json(view),
            key: view.key(),
            value: view.value(),
            attempts: None,
            redrive_count: None,
            first_failure_at: None,
            timestamp_ms: view.record.timestamp_ms,
            letter: None,
        }
    }

    /// A letter from the topic of dead letters, at the position of the record it is about. Without a readable
    /// position it is kept at its own, as one that the sink gave up.
    pub(super) fn processors(app: &'a str, view: View<'a>) -> Self {
        let found = |name: &str| header(view, name);
        let position = (
            found("__streams.errors.topic"),
            found("__streams.errors.partition").and_then(|text| text.parse::<i32>().ok()),
            found("__streams.errors.offset").and_then(|text| text.parse::<i64>().ok()),
        );
        let (Some(topic), Some(partition), Some(offset)) = position else {
            let message = "no readable __streams.errors.topic, .partition and .offset";
            return Self::own(app, view, Rejection::new("BAD_HEADERS", message));
        };
        Self {
            app: found("x-dlq-app").unwrap_or(Cow::Borrowed(app)),
            topic,
            partition,
            offset,
            origin: "processor",
            code: found("x-dlq-error-code").unwrap_or(Cow::Borrowed("UNKNOWN")),
            exception: found("__streams.errors.exception"),
            message: found("__streams.errors.message").unwrap_or_default(),
            headers: headers_json(view),
            key: view.key(),
            value: view.value(),
            attempts: found("x-dlq-attempts").and_then(|text| text.parse().ok()),
            redrive_count: found("x-dlq-redrive-count").and_then(|text| text.parse().ok()),
            first_failure_at: found("x-dlq-first-failure-ts"),
            timestamp_ms: view.record.timestamp_ms,
            letter: Some((view.partition.number, view.record.offset)),
        }
    }
}

/// The last header of that name, as text that PostgreSQL can hold.
fn header<'a>(view: View<'a>, name: &str) -> Option<Cow<'a, str>> {
    let last = view.headers().filter(|(found, _)| *found == name.as_bytes()).last();
    last.and_then(|(_, value)| value).map(|value| storable(String::from_utf8_lossy(value)))
}

/// PostgreSQL's text cannot hold NUL.
fn storable(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text }
}

/// All headers in their order; values that are not plain text in hexadecimal.
fn headers_json(view: View<'_>) -> String {
    let headers: Vec<serde_json::Value> = view
        .headers()
        .map(|(name, value)| {
            let name = storable(String::from_utf8_lossy(name));
            match value.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
                None => serde_json::json!({ "name": name, "value": null }),
                Some((Ok(text), _)) if !text.contains('\0') => {
                    serde_json::json!({ "name": name, "value": text })
                }
                Some((_, bytes)) => serde_json::json!({ "name": name, "hex": hex(bytes) }),
            }
        })
        .collect();
    serde_json::Value::Array(headers).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
