//! Where the sink learns which topic is behind a name.

use std::collections::BTreeMap;
use std::fmt;

/// Identity Kafka gave a topic when it was created (KIP-516); a re-created topic has another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A topic id could not be had; asking again may help.
#[derive(Debug, thiserror::Error)]
#[error("the id of topic {topic} could not be read: {reason}")]
pub struct TopicIdsError {
    /// Name of the topic asked for.
    pub topic: String,
    /// What the cluster or the client library answered.
    pub reason: String,
}

/// Asks the cluster for topic ids. Called from blocking threads only.
pub trait TopicIds: Send + Sync {
    /// Returns the id of every topic named, or the first error.
    ///
    /// # Errors
    /// [`TopicIdsError`] when a topic does not exist or no broker answers in time.
    fn topic_ids(&self, topics: &[&str]) -> Result<BTreeMap<String, TopicId>, TopicIdsError>;
}
