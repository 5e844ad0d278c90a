//! Why the topics could not be looked at, created or run with.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

use super::compare::Difference;

/// Why the topics could not be looked at, created or run with.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// The client could not be made.
    #[error("no Kafka client can be made: {0}")]
    Client(#[source] KafkaError),
    /// The runtime that waits for answers could not be made.
    #[error("cannot wait for the brokers: {0}")]
    Wait(#[source] std::io::Error),
    /// No broker answers.
    #[error("no broker of {brokers} answers within {seconds} s: {source}")]
    Unreachable {
        /// The bootstrap servers.
        brokers: String,
        /// How long was waited.
        seconds: u64,
        /// What librdkafka says.
        source: KafkaError,
    },
    /// A broker refuses to say what a topic is.
    #[error("{topic}: the broker does not describe it: {code}")]
    Describe {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
    /// A broker refuses to create a topic.
    #[error("{topic}: the broker does not create it: {code}")]
    Create {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
    /// A topic was created and is not there.
    #[error("{topic}: it was created but has no leader after {seconds} s")]
    NotThere {
        /// The topic.
        topic: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Topics are missing.
    #[error("{} do{} not exist on {brokers}: {}", plural(.topics), if .topics.len() == 1 { "es" } else { "" },
        .topics.join(", "))]
    Missing {
        /// The bootstrap servers.
        brokers: String,
        /// The topics.
        topics: Vec<String>,
    },
    /// Topics are there and cannot be run with.
    #[error("topics are not as configured{}", listed(.0))]
    Wrong(Vec<Difference>),
}

fn plural(topics: &[String]) -> String {
    if topics.len() == 1 { "1 topic".to_owned() } else { format!("{} topics", topics.len()) }
}

fn listed(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|found| format!("\n  {} {}\n    cure: {}", found.topic, found.what, found.cure))
        .collect()
}
