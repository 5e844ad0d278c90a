//! Dead letters, by input topic and reason.

use std::collections::BTreeMap;

use prometheus::{Error, IntCounter, IntCounterVec};

use super::family::Families;

/// Counts dead letters. Made at 0 for every topic and reason there is, so that the first one is seen as a
/// rise.
#[derive(Clone)]
pub struct DeadLetterMetrics {
    family: IntCounterVec,
    known: BTreeMap<(String, String), IntCounter>,
}

impl DeadLetterMetrics {
    pub(super) fn new(families: &Families<'_>, topics: &[String], reasons: &[&str]) -> Result<Self, Error> {
        let family = families.counters(
            "dlq_records_total",
            "Records that became dead letters, by the topic they came from and the reason.",
            &["topic", "reason"],
        )?;
        let pairs =
            topics.iter().flat_map(|topic| reasons.iter().map(move |reason| (topic.as_str(), *reason)));
        let known = pairs
            .map(|(topic, reason)| {
                let counter = family.with_label_values(&[topic, reason]);
                ((topic.to_owned(), reason.to_owned()), counter)
            })
            .collect();
        Ok(Self { family, known })
    }

    /// Counts dead letters of one topic and reason. Called at Applied, so that a redo counts once.
    pub fn add(&self, topic: &str, reason: &str, records: u64) {
        self.family.with_label_values(&[topic, reason]).inc_by(records);
    }

    /// Returns how many there were, of every known topic and reason together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.known.values().map(IntCounter::get).sum()
    }
}
