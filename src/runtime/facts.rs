//! Facts about the topics, gathered and checked at start.

use std::collections::BTreeMap;

use millpond_topology::{SubTopology, Topology};

use crate::engine::{KnownTopic, Purpose};
use crate::kafka::{CallError, Cluster, TopicFacts};

/// What every topic of a topology is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    topics: BTreeMap<String, TopicFacts>,
}

/// Why the topics do not fit the topology.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The cluster did not answer.
    #[error("{0}. Is `kafka.brokers` right, and do its advertised listeners resolve from here?")]
    Cluster(#[from] CallError),
    /// A topic is not there.
    #[error("topic {topic} does not exist; `millpond topics init --execute` creates what is missing")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// Inputs of one sub-topology have different partition counts.
    #[error(
        "input topics of sub-topology {subtopology} are not co-partitioned: {counts}. Give them the same partition count"
    )]
    NotCoPartitioned {
        /// The sub-topology.
        subtopology: String,
        /// Topics and counts.
        counts: String,
    },
    /// The changelog has another partition count than the inputs.
    #[error(
        "changelog {topic} has {found} partitions, its inputs have {expected}: create it anew with {expected}"
    )]
    Changelog {
        /// The topic.
        topic: String,
        /// Its count.
        found: u32,
        /// The inputs' count.
        expected: u32,
    },
}

impl Facts {
    /// Asks the cluster about every topic of `topology`.
    ///
    /// # Errors
    /// [`FactsError`] names the topic and the cure.
    pub(crate) fn gather(cluster: &Cluster, topology: &Topology) -> Result<Self, FactsError> {
        let mut names: Vec<String> = Vec::new();
        for sub in topology.sub_topologies() {
            names.extend(sub.inputs().map(|(_, topic)| topic.to_owned()));
            names.extend(sub.sinks().iter().map(|sink| sink.topic.clone()));
            names.push(sub.changelog_topic(topology.app()));
        }
        names.sort_unstable();
        names.dedup();
        let ask: Vec<&str> = names.iter().map(String::as_str).collect();
        let facts = Self { topics: cluster.topics(&ask)? };
        if let Some(topic) = names.iter().find(|name| !facts.topics.contains_key(*name)) {
            return Err(FactsError::Missing { topic: topic.clone() });
        }
        for sub in topology.sub_topologies() {
            facts.check(sub, topology.app())?;
        }
        Ok(facts)
    }

    fn check(&self, sub: &SubTopology, app: &str) -> Result<(), FactsError> {
        let counts: BTreeMap<&str, u32> =
            sub.inputs().map(|(_, topic)| (topic, self.partitions(topic))).collect();
        let expected = self.input_partitions(sub);
        if counts.values().any(|count| *count != expected) {
            let counts: Vec<_> = counts.iter().map(|(topic, count)| format!("{topic} has {count}")).collect();
            let (subtopology, counts) = (sub.name().to_owned(), counts.join(", "));
            return Err(FactsError::NotCoPartitioned { subtopology, counts });
        }
        let topic = sub.changelog_topic(app);
        let found = self.partitions(&topic);
        if found == expected { Ok(()) } else { Err(FactsError::Changelog { topic, found, expected }) }
    }

    fn partitions(&self, topic: &str) -> u32 {
        self.topics.get(topic).map_or(0, |facts| facts.partitions)
    }

    /// Returns the topics of `topology` as they were found, each once.
    #[must_use]
    pub(crate) fn known(&self, topology: &Topology) -> Vec<KnownTopic> {
        let mut all = BTreeMap::new();
        for sub in topology.sub_topologies() {
            let outputs = sub.sinks().iter().map(|sink| (sink.topic.clone(), Purpose::Output));
            let inputs = sub.inputs().map(|(_, topic)| (topic.to_owned(), Purpose::Input));
            let changelog = (sub.changelog_topic(topology.app()), Purpose::Changelog);
            // What is read and written counts as read: its offsets are at stake.
            all.extend(outputs.chain(inputs).chain([changelog]));
        }
        let known = all.into_iter().filter_map(|(name, purpose)| {
            let TopicFacts { id, partitions } = *self.topics.get(&name)?;
            Some(KnownTopic { name, purpose, id, partitions })
        });
        known.collect()
    }

    /// Returns the output topics of `topology` that are not read by it as well, with their ids.
    pub(crate) fn outputs(&self, topology: &Topology) -> Vec<(String, [u8; 16])> {
        let outputs = self.known(topology).into_iter().filter(|topic| topic.purpose == Purpose::Output);
        outputs.map(|topic| (topic.name, topic.id)).collect()
    }

    /// Returns the topic id.
    #[must_use]
    pub(crate) fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        self.topics.get(topic).map(|facts| facts.id)
    }

    /// Returns the partition count of the inputs of `sub`.
    #[must_use]
    pub(crate) fn input_partitions(&self, sub: &SubTopology) -> u32 {
        sub.inputs().next().map_or(0, |(_, topic)| self.partitions(topic))
    }

    /// Returns the partition counts of the sinks of `sub`, in their order.
    #[must_use]
    pub(crate) fn sink_partitions(&self, sub: &SubTopology) -> Vec<u32> {
        sub.sinks().iter().map(|sink| self.partitions(&sink.topic)).collect()
    }
}
