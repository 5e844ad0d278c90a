//! Asking the brokers about topics, and creating them.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataTopic;
use tokio::runtime::{Builder, Runtime};

use super::compare::Found;
use super::error::TopicsError;
use super::wanted::Wanted;
use crate::config::{Config, Replication};

/// How long a broker may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a created topic may take until every partition has a leader.
const LEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time between two looks whether it has.
const LEADER_POLL: Duration = Duration::from_millis(50);
/// The broker's own default, as CreateTopics names it.
const BROKER_REPLICATION: i32 = -1;

/// A client for topics.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    runtime: Runtime,
    brokers: String,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

impl Admin {
    /// Makes a client of the brokers of `config`. No connection is made yet.
    ///
    /// # Errors
    /// A raw key that librdkafka refuses together with the others.
    pub fn new(config: &Config) -> Result<Self, TopicsError> {
        let mut client = ClientConfig::new();
        config.kafka.producer.apply(&mut client);
        client.set("bootstrap.servers", config.kafka.brokers.to_string());
        // What goes wrong is in the answers; librdkafka's own lines would come between.
        client.set_log_level(RDKafkaLogLevel::Emerg);
        Ok(Self {
            client: client.create().map_err(TopicsError::Client)?,
            runtime: Builder::new_current_thread().enable_all().build().map_err(TopicsError::Wait)?,
            brokers: config.kafka.brokers.to_string(),
        })
    }

    /// Returns the bootstrap servers.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Returns what the topics of these names are; those that do not exist are left out.
    ///
    /// # Errors
    /// No broker answers, or one does not describe a topic.
    pub fn found(&self, names: &[&str]) -> Result<BTreeMap<String, Found>, TopicsError> {
        let mut found = self.layout(names)?;
        if found.is_empty() {
            return Ok(found);
        }
        let resources: Vec<_> = found.keys().map(|name| ResourceSpecifier::Topic(name)).collect();
        let describe = self.client.describe_configs(&resources, &options());
        let described = self.runtime.block_on(describe).map_err(|source| self.unreachable(source))?;
        for (result, name) in described.into_iter().zip(found.keys().cloned().collect::<Vec<_>>()) {
            let resource = result.map_err(|code| TopicsError::Describe { topic: name.clone(), code })?;
            let settings = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
            if let Some(topic) = found.get_mut(&name) {
                topic.settings = settings.collect();
            }
        }
        Ok(found)
    }

    /// Returns partitions and replicas of the topics of these names.
    ///
    /// Asks for all topics: a question about one that is missing could create it, where the broker is set so.
    fn layout(&self, names: &[&str]) -> Result<BTreeMap<String, Found>, TopicsError> {
        let metadata = self.client.inner().fetch_metadata(None, ANSWER_TIMEOUT);
        let metadata = metadata.map_err(|source| self.unreachable(source))?;
        let wanted = metadata.topics().iter().filter(|topic| names.contains(&topic.name()));
        let there = wanted.filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
        Ok(there.map(|topic| (topic.name().to_owned(), layout_of(topic))).collect())
    }

    /// Creates topics and waits until every partition has a leader. One that exists by now is left as it is.
    ///
    /// # Errors
    /// A broker refuses, or a topic has no leader in time.
    pub fn create(&self, topics: &[&Wanted]) -> Result<(), TopicsError> {
        let settings: Vec<_> = topics.iter().map(|topic| topic.settings()).collect();
        let new: Vec<_> =
            topics.iter().zip(&settings).map(|(topic, settings)| new_topic(topic, settings)).collect();
        let create = self.client.create_topics(&new, &options());
        let answers = self.runtime.block_on(create).map_err(|source| self.unreachable(source))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => return Err(TopicsError::Create { topic, code }),
            }
        }
        topics.iter().try_for_each(|topic| self.wait_for_leaders(topic))
    }

    fn wait_for_leaders(&self, topic: &Wanted) -> Result<(), TopicsError> {
        let begun = Instant::now();
        loop {
            let metadata = self.client.inner().fetch_metadata(None, ANSWER_TIMEOUT);
            let metadata = metadata.map_err(|source| self.unreachable(source))?;
            let there = metadata.topics().iter().find(|found| found.name() == topic.name);
            if there.is_some_and(has_leaders) {
                return Ok(());
            }
            if begun.elapsed() > LEADER_TIMEOUT {
                let seconds = LEADER_TIMEOUT.as_secs();
                return Err(TopicsError::NotThere { topic: topic.name.clone(), seconds });
            }
            thread::sleep(LEADER_POLL);
        }
    }

    fn unreachable(&self, source: rdkafka::error::KafkaError) -> TopicsError {
        TopicsError::Unreachable { brokers: self.brokers.clone(), seconds: ANSWER_TIMEOUT.as_secs(), source }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT)).operation_timeout(Some(LEADER_TIMEOUT))
}

fn layout_of(topic: &MetadataTopic) -> Found {
    let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Found {
        partitions: count(topic.partitions().len()),
        replicas: count(replicas.unwrap_or_default()),
        settings: BTreeMap::new(),
    }
}

fn has_leaders(topic: &MetadataTopic) -> bool {
    let partitions = topic.partitions();
    topic.error().is_none()
        && !partitions.is_empty()
        && partitions.iter().all(|partition| partition.leader() >= 0)
}

fn new_topic<'a>(topic: &'a Wanted, settings: &'a [(&'static str, String)]) -> NewTopic<'a> {
    let replicas = match topic.replication {
        Replication::Broker => BROKER_REPLICATION,
        Replication::Factor(factor) => i32::try_from(factor).unwrap_or(i32::MAX),
    };
    let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    let new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(replicas));
    settings.iter().fold(new, |new, (key, value)| new.set(key, value))
}
