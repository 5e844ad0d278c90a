//! Dead letters: the original bytes and headers, with the reason in further headers.
//!
//! Header names follow KIP-1034 (`__streams.errors.*`, strings); ours (`x-dlq-*`) are replaced, never
//! appended, so that a record that fails again does not grow.

use sha2::{Digest, Sha256};

use super::outputs::{Outputs, RawOutput};
use crate::record::RawRecord;

/// Prefixes of the headers that a dead letter replaces.
const REPLACED: [&[u8]; 2] = [b"__streams.errors.", b"x-dlq-"];

/// Bytes of key and original headers that fit beside the longest value.
const BESIDE_BYTES: usize = 64 * 1024;

/// What the dead letter says.
pub(crate) struct Reason<'a> {
    pub(crate) app: &'a str,
    pub(crate) code: &'static str,
    pub(crate) message: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) partition: u32,
    /// Wall clock of the batch, ms since the epoch.
    pub(crate) wall_ms: i64,
    /// Longest value carried, bytes; a longer one is cut.
    pub(crate) value_bytes_max: usize,
}

fn text_header(raw: &dyn RawRecord, name: &[u8]) -> Option<String> {
    let found = (0..raw.header_count()).filter_map(|at| raw.header(at)).find(|(found, _)| *found == name)?;
    Some(String::from_utf8_lossy(found.1?).into_owned())
}

/// Returns the headers of a record that its dead letter keeps.
fn kept(raw: &dyn RawRecord) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let all = (0..raw.header_count()).filter_map(|at| raw.header(at));
    all.filter(|(name, _)| !REPLACED.iter().any(|prefix| name.starts_with(prefix)))
}

fn size((name, value): (&[u8], Option<&[u8]>)) -> usize {
    name.len() + value.map_or(0, <[u8]>::len)
}

/// Emits the dead letter of `raw` to the sink `sink`.
pub(crate) fn emit(outputs: &mut Outputs, sink: usize, raw: &dyn RawRecord, reason: &Reason<'_>) {
    let value = raw.value();
    // Key and headers are kept whole; what they take beyond their room is taken from the value.
    let beside = raw.key().map_or(0, <[u8]>::len) + kept(raw).map(size).sum::<usize>();
    let value_bytes_max = reason.value_bytes_max.saturating_sub(beside.saturating_sub(BESIDE_BYTES));
    let cut = value.filter(|value| value.len() > value_bytes_max);
    // A timestamp that the input should not have had would be refused again by the dead-letter topic.
    let usable = raw.timestamp_ms() >= 0 && reason.code != "INVALID_TIMESTAMP";
    // Anyone can write these headers: what is not a number counts as absent.
    let number = |name| text_header(raw, name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let (redriven, attempts) = (number(b"x-dlq-redrive-count"), number(b"x-dlq-attempts"));
    let first = text_header(raw, b"x-dlq-first-failure-ts").and_then(|text| text.parse::<i64>().ok());
    let first_ms = first.filter(|first_ms| *first_ms >= 0).unwrap_or(reason.wall_ms);
    let message = if reason.message.is_empty() { reason.code } else { reason.message };
    let mut added: Vec<(&'static str, String)> = vec![
        ("__streams.errors.exception", reason.code.to_owned()),
        ("__streams.errors.message", message.chars().take(1024).collect()),
        ("__streams.errors.topic", reason.topic.to_owned()),
        ("__streams.errors.partition", reason.partition.to_string()),
        ("__streams.errors.offset", raw.offset().to_string()),
        ("x-dlq-app", reason.app.to_owned()),
        ("x-dlq-error-code", reason.code.to_owned()),
        ("x-dlq-attempts", attempts.saturating_add(1).to_string()),
        ("x-dlq-first-failure-ts", first_ms.to_string()),
        ("x-dlq-redrive-count", redriven.to_string()),
    ];
    if !usable {
        added.push(("x-dlq-original-timestamp", raw.timestamp_ms().to_string()));
    }
    if let Some(value) = cut {
        added.push(("x-dlq-original-length", value.len().to_string()));
        let digest = Sha256::digest(value);
        added.push(("x-dlq-original-sha256", digest.iter().map(|byte| format!("{byte:02x}")).collect()));
    }
    let output = RawOutput {
        key: raw.key(),
        keyless_partition: reason.partition,
        value: cut.map_or(value, |value| value.get(..value_bytes_max)),
        timestamp_ms: if usable { raw.timestamp_ms() } else { reason.wall_ms },
    };
    let added = added.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
    outputs.emit_raw(sink, &output, kept(raw).chain(added));
}
