//! What brokers are asked directly: what is open, what coordinators are at, and the end of what hangs.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeProducersRequest, DescribeTransactionsRequest, FindCoordinatorRequest,
    ProducerId, TopicName, TransactionalId, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::ask::ask;
use super::survey::{End, Found, SurveyError, Verdict};

/// Longest wait for metadata.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// With it a broker takes the first record of a transaction only if the coordinator knows it.
const VERIFIES: &str = "transaction.partition.verification.enable";
/// `CONFIG_RESOURCE_TYPE` of a broker.
const BROKER: i8 = 4;
const DESCRIBE_CONFIGS: i16 = 4;
const DESCRIBE_PRODUCERS: i16 = 0;
const DESCRIBE_TRANSACTIONS: i16 = 0;
const FIND_COORDINATOR: i16 = 4;
/// Kind of coordinator that ends transactions.
const OF_TRANSACTIONS: i8 = 1;
/// States in which a coordinator has nothing open.
const AT_REST: [&str; 3] = ["Empty", "CompleteCommit", "CompleteAbort"];
const WRITE_TXN_MARKERS: i16 = 1;

/// Returns what is open in `topics`, by what their leaders say.
pub(super) fn open(client: &BaseConsumer, topics: &[&str]) -> Result<Vec<Found>, SurveyError> {
    let metadata = client.fetch_metadata(None, ANSWER_TIMEOUT)?;
    let known: BTreeSet<i32> = metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect();
    for topic in topics {
        let leaderless = |what: String| SurveyError::Leaderless { topic: (*topic).to_owned(), what };
        let found = metadata.topics().iter().find(|found| found.name() == *topic);
        let partitions = found.map(rdkafka::metadata::MetadataTopic::partitions).unwrap_or_default();
        if partitions.is_empty() {
            return Err(leaderless("it does not exist".to_owned()));
        }
        if let Some(partition) = partitions.iter().find(|partition| !known.contains(&partition.leader())) {
            return Err(leaderless(format!("partition {} has no leader", partition.id())));
        }
    }
    let mut all = Vec::new();
    for broker in metadata.brokers() {
        let leader = format!("{}:{}", broker.host(), broker.port());
        let led: Vec<_> = metadata
            .topics()
            .iter()
            .filter(|topic| topics.contains(&topic.name()))
            .map(|topic| {
                let of_it = topic.partitions().iter().filter(|partition| partition.leader() == broker.id());
                let led = of_it.map(rdkafka::metadata::MetadataPartition::id).collect();
                TopicRequest::default().with_name(name(topic.name())).with_partition_indexes(led)
            })
            .filter(|topic| !topic.partition_indexes.is_empty())
            .collect();
        if led.is_empty() {
            continue;
        }
        let request = DescribeProducersRequest::default().with_topics(led);
        let answer = asked(&leader, DESCRIBE_PRODUCERS, &request)?;
        for topic in answer.topics {
            for partition in topic.partitions {
                let at = (topic.name.to_string(), partition.partition_index);
                if partition.error_code != 0 {
                    let (topic, partition_index) = at;
                    let code = partition.error_code;
                    return Err(SurveyError::Refused { topic, partition: partition_index, code });
                }
                let open = partition.active_producers.iter();
                let open = open.filter(|producer| producer.current_txn_start_offset >= 0);
                all.extend(open.filter_map(|producer| found(&at, producer, (broker.id(), &leader))));
            }
        }
    }
    Ok(all)
}

fn found(at: &(String, i32), producer: &ProducerState, leader: (i32, &str)) -> Option<Found> {
    Some(Found {
        topic: at.0.clone(),
        partition: at.1,
        first_offset: producer.current_txn_start_offset,
        producer_id: producer.producer_id.0,
        producer_epoch: i16::try_from(producer.producer_epoch).ok()?,
        transactional_id: None,
        verdict: Verdict::Unknown,
        // None was noted with the records: any will do.
        coordinator_epoch: producer.coordinator_epoch.max(0),
        leader_id: leader.0,
        leader: leader.1.to_owned(),
    })
}

/// Says whether a broker takes records only of transactions that their coordinators know.
pub(super) fn verifies(id: i32, address: &str) -> Result<bool, SurveyError> {
    let broker = DescribeConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(StrBytes::from_string(id.to_string()))
        .with_configuration_keys(Some(vec![StrBytes::from_static_str(VERIFIES)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![broker]);
    let answer = asked(address, DESCRIBE_CONFIGS, &request)?;
    let mut configs = answer.results.iter().flat_map(|result| &result.configs);
    let found = configs.find(|config| config.name.as_str() == VERIFIES);
    Ok(found.and_then(|config| config.value.as_ref()).is_some_and(|value| value.as_str() == "true"))
}

/// Makes sure that the coordinator of a transaction has nothing open for its transactional id.
pub(super) fn at_rest(found: &Found) -> Result<(), SurveyError> {
    let id = found.transactional_id.clone().unwrap_or_default();
    let busy = |state: String| SurveyError::Busy { id: id.clone(), state };
    let request = FindCoordinatorRequest::default()
        .with_key_type(OF_TRANSACTIONS)
        .with_coordinator_keys(vec![StrBytes::from_string(id.clone())]);
    let answer = asked(&found.leader, FIND_COORDINATOR, &request)?;
    let node = answer.coordinators.first().filter(|node| node.error_code == 0);
    let node = node.ok_or_else(|| busy("nothing: it is not known".to_owned()))?;
    let address = format!("{}:{}", node.host, node.port);
    let ids = vec![TransactionalId(StrBytes::from_string(id.clone()))];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    let answer = asked(&address, DESCRIBE_TRANSACTIONS, &request)?;
    match answer.transaction_states.first() {
        Some(state) if state.error_code == 0 && AT_REST.contains(&state.transaction_state.as_str()) => Ok(()),
        Some(state) if state.error_code == 0 => Err(busy(state.transaction_state.to_string())),
        Some(state) => Err(busy(format!("error {}", state.error_code))),
        None => Err(busy("nothing".to_owned())),
    }
}

/// Writes the marker that ends a transaction in one partition.
pub(super) fn write_marker(found: &Found, end: End) -> Result<(), SurveyError> {
    let topics = WritableTxnMarkerTopic::default().with_name(name(&found.topic));
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(found.producer_id))
        .with_producer_epoch(found.producer_epoch)
        .with_transaction_result(end == End::Commit)
        .with_topics(vec![topics.with_partition_indexes(vec![found.partition])])
        .with_coordinator_epoch(found.coordinator_epoch);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let answer = asked(&found.leader, WRITE_TXN_MARKERS, &request)?;
    let topics = answer.markers.into_iter().flat_map(|marker| marker.topics);
    match topics.flat_map(|topic| topic.partitions).find(|answer| answer.error_code != 0) {
        Some(answer) => Err(SurveyError::Refused {
            topic: found.topic.clone(),
            partition: found.partition,
            code: answer.error_code,
        }),
        None => Ok(()),
    }
}

fn asked<R: Request>(broker: &str, version: i16, request: &R) -> Result<R::Response, SurveyError> {
    let answer = resolve(broker).and_then(|at| ask(at, version, request));
    answer.map_err(|source| SurveyError::Silent { broker: broker.to_owned(), source })
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "no address");
    address.to_socket_addrs()?.next().ok_or_else(none)
}
