//! Records and bytes, by topic.

use prometheus::{Error, IntCounter, IntCounterVec};

use super::family::Families;

/// Which way records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Out of a topic into a task.
    Consumed,
    /// Out of a task into a topic.
    Produced,
}

/// The families, by topic.
pub(super) struct TopicFamilies {
    records_consumed: IntCounterVec,
    records_produced: IntCounterVec,
    bytes_consumed: IntCounterVec,
    bytes_produced: IntCounterVec,
}

impl TopicFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let by_topic = |name: &str, help: &str| families.counters(name, help, &["topic"]);
        Ok(Self {
            records_consumed: by_topic("records_consumed_total", "Records whose effect is committed.")?,
            records_produced: by_topic(
                "records_produced_total",
                "Records written in committed transactions.",
            )?,
            bytes_consumed: by_topic(
                "bytes_consumed_total",
                "Bytes of keys and values consumed and committed.",
            )?,
            bytes_produced: by_topic(
                "bytes_produced_total",
                "Bytes of keys and values produced and committed.",
            )?,
        })
    }

    pub(super) fn topic(&self, topic: &str, direction: Direction) -> TopicMetrics {
        let (records, bytes) = match direction {
            Direction::Consumed => (&self.records_consumed, &self.bytes_consumed),
            Direction::Produced => (&self.records_produced, &self.bytes_produced),
        };
        TopicMetrics {
            records: records.with_label_values(&[topic]),
            bytes: bytes.with_label_values(&[topic]),
        }
    }
}

/// The series of one topic in one direction.
#[derive(Clone)]
pub struct TopicMetrics {
    records: IntCounter,
    bytes: IntCounter,
}

impl TopicMetrics {
    /// Counts records and their bytes of keys and values. Called once per committed transaction, not per
    /// record.
    pub fn add(&self, records: u64, bytes: u64) {
        self.records.inc_by(records);
        self.bytes.inc_by(bytes);
    }
}
