//! Who of the brokers does what, as they themselves say.

use std::collections::BTreeSet;

use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeQuorumRequest, DescribeTransactionsRequest, FindCoordinatorRequest,
    MetadataRequest, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use millpond::transactions::ask;

use super::Cluster;
use super::broker::Broker;

const METADATA: i16 = 12;
const FIND_COORDINATOR: i16 = 4;
const DESCRIBE_QUORUM: i16 = 1;
/// `TRANSACTIONAL_ID_NOT_FOUND`.
const NO_SUCH_TRANSACTIONAL_ID: i16 = 105;

/// Something that one broker does for all.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    /// Leads a partition.
    Leader(String, i32),
    /// Coordinates the transactions of a transactional id.
    Transactions(String),
    /// Coordinates a group.
    Group(String),
    /// Is the active controller.
    Controller,
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

impl Cluster {
    /// Returns the broker that has a role, as the first broker says that answers; `None` while nobody has it.
    pub(crate) fn holder(&self, role: &Role) -> Option<i32> {
        self.running().into_iter().find_map(|broker| match role {
            Role::Leader(topic, partition) => leader(broker, topic, *partition),
            Role::Transactions(id) => coordinator(broker, id, 1),
            Role::Group(id) => coordinator(broker, id, 0),
            Role::Controller => controller(broker),
        })
    }

    /// Returns the replicas of a partition that are in sync.
    pub(crate) fn in_sync(&self, topic: &str, partition: i32) -> BTreeSet<i32> {
        let found = self.running().into_iter().find_map(|broker| partition_of(broker, topic, partition));
        found.into_iter().flat_map(|found| found.isr_nodes).map(|id| id.0).collect()
    }

    /// Says whether every partition of every topic has a leader and all of its replicas in sync, on whichever broker is
    /// asked, and all voters follow the controller.
    pub(super) fn is_in_sync(&self) -> bool {
        let whole = |broker: &Broker| {
            let all = ask(broker.address(), METADATA, &MetadataRequest::default().with_topics(None)).ok()?;
            let mut partitions = all.topics.iter().flat_map(|topic| &topic.partitions);
            Some(
                partitions.all(|found| {
                    found.leader_id.0 >= 0 && found.isr_nodes.len() == found.replica_nodes.len()
                }),
            )
        };
        self.running().into_iter().all(|broker| whole(broker) == Some(true))
            && self.holder(&Role::Controller).is_some()
    }

    /// Returns how many brokers one of them knows.
    pub(super) fn known_to(&self, broker: &Broker) -> Option<usize> {
        let none = MetadataRequest::default().with_topics(Some(Vec::new()));
        Some(ask(broker.address(), METADATA, &none).ok()?.brokers.len())
    }

    /// Returns how many producers the leader of a partition remembers; `None` when it does not say.
    pub(crate) fn producers(&self, topic: &str, partition: i32) -> Option<usize> {
        self.producers_of(topic, partition).map(|producers| producers.len())
    }

    /// Returns the producers that the leader of a partition remembers; `None` when it does not say.
    pub(super) fn producers_of(&self, topic: &str, partition: i32) -> Option<Vec<ProducerState>> {
        let leader = self.holder(&Role::Leader(topic.to_owned(), partition))?;
        let topic = TopicRequest::default().with_name(topic_name(topic));
        let topic = topic.with_partition_indexes(vec![partition]);
        let request = DescribeProducersRequest::default().with_topics(vec![topic]);
        let answer = ask(self.address_of(leader)?, 0, &request).ok()?;
        let found = answer.topics.into_iter().next()?.partitions.into_iter().next()?;
        (found.error_code == 0).then_some(found.active_producers)
    }

    /// Says whether the coordinator still knows a transactional id; `None` when it does not say.
    pub(crate) fn knows_transactional_id(&self, id: &str) -> Option<bool> {
        let coordinator = self.holder(&Role::Transactions(id.to_owned()))?;
        let request =
            DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text(id))]);
        let answer = ask(self.address_of(coordinator)?, 0, &request).ok()?;
        match answer.transaction_states.first()?.error_code {
            0 => Some(true),
            NO_SUCH_TRANSACTIONAL_ID => Some(false),
            _ => None,
        }
    }

    fn address_of(&self, id: i32) -> Option<std::net::SocketAddr> {
        self.running().into_iter().find(|broker| broker.id() == id).map(Broker::address)
    }
}

fn partition_of(broker: &Broker, topic: &str, partition: i32) -> Option<MetadataResponsePartition> {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    let request = MetadataRequest::default().with_topics(Some(vec![topic]));
    let answer = ask(broker.address(), METADATA, &request).ok()?;
    let partitions = answer.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.into_iter().find(|found| found.partition_index == partition)
}

fn leader(broker: &Broker, topic: &str, partition: i32) -> Option<i32> {
    Some(partition_of(broker, topic, partition)?.leader_id.0).filter(|id| *id >= 0)
}

fn coordinator(broker: &Broker, id: &str, kind: i8) -> Option<i32> {
    let request = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(vec![text(id)]);
    let answer = ask(broker.address(), FIND_COORDINATOR, &request).ok()?;
    let found = answer.coordinators.first()?;
    (found.error_code == 0).then_some(found.node_id.0)
}

fn controller(broker: &Broker) -> Option<i32> {
    let metadata = TopicData::default()
        .with_topic_name(topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default()]);
    let request = DescribeQuorumRequest::default().with_topics(vec![metadata]);
    let answer = ask(broker.address(), DESCRIBE_QUORUM, &request).ok()?;
    let found = answer.topics.first()?.partitions.first()?;
    (found.error_code == 0 && found.leader_id.0 >= 0).then_some(found.leader_id.0)
}
