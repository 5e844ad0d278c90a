//! Topic ids from the cluster, by the product's own client.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond::kafka::{ClientConfig, Cluster};
use millpond::sink::{TopicId, TopicIds, TopicIdsError};

use super::cluster::brokers;

/// Asks the cluster of the tests.
pub(crate) struct FromCluster(Cluster);

impl FromCluster {
    pub(crate) fn new() -> Self {
        let config = ClientConfig::new(&brokers(), &BTreeMap::new()).consumer("asks-for-topic-ids", 1 << 20);
        Self(Cluster::new(&config, Duration::from_secs(3)).expect("client"))
    }
}

impl TopicIds for FromCluster {
    fn topic_ids(&self, topics: &[&str]) -> Result<BTreeMap<String, TopicId>, TopicIdsError> {
        let failed = |topic: &str, reason: String| TopicIdsError { topic: topic.to_owned(), reason };
        let found = self.0.topics(topics).map_err(|error| failed("*", error.to_string()))?;
        let id = |topic: &&str| match found.get(*topic) {
            Some(facts) => Ok(((*topic).to_owned(), TopicId(facts.id))),
            None => Err(failed(topic, "no such topic".to_owned())),
        };
        topics.iter().map(id).collect()
    }
}
