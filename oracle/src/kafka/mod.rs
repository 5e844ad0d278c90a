//! Reading Kafka: ends, committed offsets and records, always as a read_committed consumer outside any group.

mod committed;
mod connect;
mod read;
mod span;

pub(crate) use committed::{Committed, committed};
pub(crate) use read::{read_topic, timestamp_ms};
#[cfg(test)]
pub(crate) use span::Span;
pub(crate) use span::{TopicSpan, await_stable, spans};
