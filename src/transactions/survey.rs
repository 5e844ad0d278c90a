//! Which transactions are open, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeProducersRequest, ProducerId, TopicName, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use serde::Serialize;

use super::ask::ask;
use super::noted::{Noted, Status, noted, transactional_id};

/// Where coordinators note what they decide.
const DECISIONS: &str = "__transaction_state";
/// Longest wait for metadata.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time in which the log of the coordinators does not get longer or end.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// With it a broker takes records only of a transaction that the coordinator knows, so that what is open in a partition is the last
/// transaction that the coordinator noted for it.
const VERIFIES: &str = "transaction.partition.verification.enable";
/// `CONFIG_RESOURCE_TYPE` of a broker.
const BROKER: i8 = 4;
const DESCRIBE_CONFIGS: i16 = 4;
const DESCRIBE_PRODUCERS: i16 = 0;
const WRITE_TXN_MARKERS: i16 = 1;

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// What it wrote becomes visible.
    Commit,
    /// What it wrote is never seen.
    Abort,
}

/// What becomes of an open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Its coordinator ends it, at its timeout at the latest.
    Ongoing,
    /// Its coordinator had decided so and takes it for ended; this partition has no marker of it.
    Lost(End),
    /// No coordinator noted a decision about it, or the partition's leader takes records that no coordinator knows of.
    Unknown,
}

/// A transaction that is open in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First offset of the transaction.
    pub first_offset: i64,
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Its transactional id, if a coordinator noted it.
    pub transactional_id: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
    #[serde(skip)]
    coordinator_epoch: i32,
    #[serde(skip)]
    leader_id: i32,
    #[serde(skip)]
    leader: String,
}

/// Why nothing can be said, or not ended.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// librdkafka failed.
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    /// A broker does not answer to what is asked directly.
    #[error("broker {broker} does not answer: {source}")]
    Silent {
        /// Its address, as advertised.
        broker: String,
        /// What failed.
        source: io::Error,
    },
    /// A broker refuses.
    #[error("{topic}-{partition}: the broker answers with error {code}")]
    Refused {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Kafka's error code.
        code: i16,
    },
    /// The coordinators' log is not readable to its end.
    #[error("partitions {0:?} of {DECISIONS} cannot be read to their ends")]
    Unread(BTreeSet<i32>),
    /// A record of the coordinators' log has a form that this version does not know.
    #[error("{DECISIONS} holds records of a version that is not known")]
    Form,
}

/// Returns the transactions that are open in `topics`, with what their coordinators decided. `client` reads uncommitted, tells
/// of partitions' ends, and is not used for anything else meanwhile.
///
/// # Errors
/// [`SurveyError`].
pub fn survey(client: &BaseConsumer, topics: &[&str]) -> Result<Vec<Found>, SurveyError> {
    let before = open(client, topics)?;
    if before.is_empty() {
        return Ok(before);
    }
    let log = decisions(client)?;
    // What is open now and was before the log was read was not just about to be ended.
    let mut still = open(client, topics)?;
    let key = |found: &Found| (found.topic.clone(), found.partition, found.producer_id, found.first_offset);
    let known: BTreeSet<_> = before.iter().map(key).collect();
    still.retain(|found| known.contains(&key(found)));
    let leaders: BTreeSet<_> = still.iter().map(|found| (found.leader_id, found.leader.clone())).collect();
    let mut unverified = BTreeSet::new();
    for (id, leader) in leaders {
        if !verifies(id, &leader)? {
            unverified.insert(id);
        }
    }
    for found in &mut still {
        let Some((id, noted)) = log.get(&found.producer_id) else { continue };
        found.transactional_id = Some(id.clone());
        let verdict = judge(noted, &(found.topic.clone(), found.partition));
        if verdict == Verdict::Ongoing || !unverified.contains(&found.leader_id) {
            found.verdict = verdict;
        }
    }
    Ok(still)
}

/// Says what becomes of the open transaction of a producer in a partition, from all that its coordinator noted, oldest first.
fn judge(noted: &[Noted], here: &(String, i32)) -> Verdict {
    let lists = |noted: &&Noted| noted.partitions.contains(here);
    if noted.last().is_some_and(|last| lists(&last)) {
        return Verdict::Ongoing;
    }
    match noted.iter().rev().find(lists).map(|noted| noted.status) {
        Some(Status::PrepareCommit) => Verdict::Lost(End::Commit),
        Some(Status::PrepareAbort) => Verdict::Lost(End::Abort),
        _ => Verdict::Unknown,
    }
}

/// Says whether a broker takes records only of transactions that their coordinators know.
fn verifies(id: i32, address: &str) -> Result<bool, SurveyError> {
    let broker = DescribeConfigsResource::default()
        .with_resource_type(BROKER)
        .with_resource_name(StrBytes::from_string(id.to_string()))
        .with_configuration_keys(Some(vec![StrBytes::from_static_str(VERIFIES)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![broker]);
    let answer = resolve(address).and_then(|at| ask(at, DESCRIBE_CONFIGS, &request));
    let answer = answer.map_err(|source| SurveyError::Silent { broker: address.to_owned(), source })?;
    let mut configs = answer.results.iter().flat_map(|result| &result.configs);
    let found = configs.find(|config| config.name.as_str() == VERIFIES);
    Ok(found.and_then(|config| config.value.as_ref()).is_some_and(|value| value.as_str() == "true"))
}

/// Writes the marker that its coordinator owes to a partition.
///
/// # Errors
/// [`SurveyError`].
pub fn end(found: &Found, end: End) -> Result<(), SurveyError> {
    let topics = WritableTxnMarkerTopic::default().with_name(name(&found.topic));
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(found.producer_id))
        .with_producer_epoch(found.producer_epoch)
        .with_transaction_result(end == End::Commit)
        .with_topics(vec![topics.with_partition_indexes(vec![found.partition])])
        .with_coordinator_epoch(found.coordinator_epoch);
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let silent = |source| SurveyError::Silent { broker: found.leader.clone(), source };
    let answer =
        resolve(&found.leader).and_then(|at| ask(at, WRITE_TXN_MARKERS, &request)).map_err(silent)?;
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

/// Returns what is open in `topics`, by what their leaders say.
fn open(client: &BaseConsumer, topics: &[&str]) -> Result<Vec<Found>, SurveyError> {
    let metadata = client.fetch_metadata(None, ANSWER_TIMEOUT)?;
    let mut all = Vec::new();
    for broker in metadata.brokers() {
        let leader = format!("{}:{}", broker.host(), broker.port());
        let asked: Vec<_> = metadata
            .topics()
            .iter()
            .filter(|topic| topics.contains(&topic.name()))
            .map(|topic| {
                let led = topic.partitions().iter().filter(|partition| partition.leader() == broker.id());
                let led = led.map(rdkafka::metadata::MetadataPartition::id).collect();
                TopicRequest::default().with_name(name(topic.name())).with_partition_indexes(led)
            })
            .filter(|topic| !topic.partition_indexes.is_empty())
            .collect();
        if asked.is_empty() {
            continue;
        }
        let request = DescribeProducersRequest::default().with_topics(asked);
        let answer = resolve(&leader).and_then(|at| ask(at, DESCRIBE_PRODUCERS, &request));
        let answer = answer.map_err(|source| SurveyError::Silent { broker: leader.clone(), source })?;
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

/// Reads all that the coordinators noted, by producer id: its transactional id, and its records, oldest first.
fn decisions(client: &BaseConsumer) -> Result<BTreeMap<i64, (String, Vec<Noted>)>, SurveyError> {
    let metadata = client.fetch_metadata(Some(DECISIONS), ANSWER_TIMEOUT)?;
    let mut from = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
        from.add_partition_offset(DECISIONS, partition.id(), Offset::Beginning)?;
    }
    let mut left: BTreeSet<i32> = from.elements().iter().map(|element| element.partition()).collect();
    client.assign(&from)?;
    let (mut heard, mut log) = (Instant::now(), BTreeMap::<_, (String, Vec<_>)>::new());
    while !left.is_empty() {
        match client.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                heard = Instant::now();
                let Some(id) = record.key().and_then(transactional_id) else { continue };
                // A transactional id that expired has no value any more.
                let Some(value) = record.payload() else { continue };
                let noted = noted(value).ok_or(SurveyError::Form)?;
                log.entry(noted.producer_id).or_insert_with(|| (id, Vec::new())).1.push(noted);
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                heard = Instant::now();
                left.remove(&partition);
            }
            Some(Err(error)) => tracing::warn!(%error, "{DECISIONS}"),
            None => {}
        }
        if heard.elapsed() > SILENCE_MAX {
            client.unassign()?;
            return Err(SurveyError::Unread(left));
        }
    }
    client.unassign()?;
    Ok(log)
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn resolve(address: &str) -> io::Result<SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "no address");
    address.to_socket_addrs()?.next().ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(status: Status, partitions: &[i32]) -> Noted {
        let partitions = partitions.iter().map(|partition| ("t".to_owned(), *partition)).collect();
        Noted { producer_id: 1, status, partitions }
    }

    #[test]
    fn what_becomes_of_a_transaction_follows_from_the_last_record_that_lists_its_partition() {
        let here = ("t".to_owned(), 1);
        let over = step(Status::Other, &[]);
        let (commit, abort) = (step(Status::PrepareCommit, &[0, 1]), step(Status::PrepareAbort, &[1]));
        let ongoing = step(Status::Ongoing, &[0, 1]);
        let elsewhere = step(Status::Ongoing, &[0]);
        let judged =
            |log: &[&Noted]| judge(&log.iter().map(|noted| (*noted).clone()).collect::<Vec<_>>(), &here);
        assert_eq!(judged(&[&ongoing, &commit, &over]), Verdict::Lost(End::Commit));
        assert_eq!(judged(&[&ongoing, &commit, &over, &ongoing, &abort, &over]), Verdict::Lost(End::Abort));
        // Another transaction without the partition has begun since.
        assert_eq!(judged(&[&ongoing, &abort, &over, &elsewhere]), Verdict::Lost(End::Abort));
        assert_eq!(judged(&[&ongoing]), Verdict::Ongoing);
        assert_eq!(judged(&[&ongoing, &commit]), Verdict::Ongoing);
        // Its decision is missing: nobody may guess.
        assert_eq!(judged(&[&ongoing, &over]), Verdict::Unknown);
        assert_eq!(judged(&[&over]), Verdict::Unknown);
        assert_eq!(judged(&[]), Verdict::Unknown);
    }
}
