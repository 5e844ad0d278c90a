//! One record against the rules 1 to 14.

use super::fields::{Fields, is_text};
use super::payload::{Kind, read};
use crate::code::Code;
use crate::event::Body;
use crate::json::{Node, parse};
use crate::murmur2::partition_of;
use crate::place::Side;
use crate::time::is_rfc3339;

/// Bytes of the longest value that is looked into.
const VALUE_BYTES_MAX: usize = 65_536;

/// What of an input record the rules look at.
pub(crate) struct Candidate<'a> {
    pub(crate) side: Side,
    pub(crate) partition: i32,
    /// Partitions of the record's topic.
    pub(crate) partitions: i32,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

/// Returns the user and what the record asks for, or the code of its first broken rule.
///
/// Of rule 1 only a negative timestamp is judged: what the clock showed when the record was processed is not
/// known here.
pub(crate) fn judge(candidate: &Candidate<'_>) -> Result<(u64, Body), Code> {
    if candidate.timestamp_ms < 0 {
        return Err(Code::InvalidTimestamp);
    }
    let value = candidate.value.ok_or(Code::NullValue)?;
    if value.len() > VALUE_BYTES_MAX {
        return Err(Code::TooLarge);
    }
    let key = candidate.key.filter(|key| !key.is_empty()).ok_or(Code::MissingKey)?;
    let document = parse(value).ok_or(Code::NotJson)?;
    if !matches!(document.root, Node::Object(_)) {
        return Err(Code::NotAnObject);
    }
    if document.has_duplicate_key {
        return Err(Code::DuplicateField);
    }
    if document.has_nul {
        return Err(Code::BadField);
    }
    let envelope = Fields(&document.root);
    let event_type = envelope.required("eventType")?.text().ok_or(Code::BadField)?;
    let kind = Kind::of(candidate.side, event_type).ok_or(Code::UnknownEventType)?;
    let is_id = envelope.required("eventId")?.text().is_some_and(is_text);
    is_id.then_some(()).ok_or(Code::BadField)?;
    let is_time = envelope.required("occurredAt")?.text().is_some_and(is_rfc3339);
    is_time.then_some(()).ok_or(Code::BadField)?;
    let payload = envelope.required("payload")?;
    if !matches!(payload, Node::Object(_)) {
        return Err(Code::BadField);
    }
    let (user, body) = read(kind, payload)?;
    if key != user.to_string().as_bytes() {
        return Err(Code::KeyMismatch);
    }
    if candidate.partition != partition_of(key, candidate.partitions) {
        return Err(Code::WrongPartition);
    }
    Ok((user, body))
}
