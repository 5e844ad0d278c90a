//! The name of one demo: everything it makes in Kafka, PostgreSQL and on disk begins with it.

use std::fmt;

use crate::load::Civil;

/// What every name begins with.
const PREFIX: &str = "demo-";

/// Length of `demo-yyyymmdd-hhmmss-rrrr`.
const LENGTH: usize = 25;

/// One demo's name, such as `demo-20251120-091234-4f2a`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunId(String);

impl RunId {
    /// Makes the name of a demo that starts at `wall_ms` (ms since the epoch); `random` tells apart those of a second.
    pub(super) fn new(wall_ms: i64, random: u16) -> Self {
        Self(format!("{PREFIX}{}-{random:04x}", Civil::from_ms(wall_ms).compact()))
    }

    /// Reads a name that an earlier demo gave to its folder.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let digits = |b: u8| b.is_ascii_hexdigit() && !b.is_ascii_uppercase();
        let rest = name.strip_prefix(PREFIX)?;
        let fits = name.len() == LENGTH && rest.bytes().all(|b| digits(b) || b == b'-');
        fits.then(|| Self(name.to_owned()))
    }

    /// Returns the name of one of its topics.
    pub(super) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.0)
    }

    /// Tells whether a topic is its.
    pub(super) fn owns_topic(&self, topic: &str) -> bool {
        topic.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Returns the name of its database: no character of it needs quotes.
    pub(super) fn database(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the name itself: application id, consumer group, folder.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RunId;

    #[test]
    fn a_name_reads_back_and_nothing_else_does() {
        let id = RunId::new(1_763_629_954_123, 0x4f2a);
        assert_eq!(id.as_str(), "demo-20251120-091234-4f2a");
        assert_eq!(RunId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(id.database(), "demo_20251120_091234_4f2a");
        for other in ["demo-", "demo-20251120-091234-4f2", "demo-20251120-091234-4F2a", "lost+found"] {
            assert_eq!(RunId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn topics_of_others_are_not_its() {
        let id = RunId::new(0, 1);
        assert!(id.owns_topic(&id.topic("order.events")));
        assert!(!id.owns_topic("order.events"));
        assert!(!id.owns_topic(&format!("{id}2.order.events")));
    }
}
