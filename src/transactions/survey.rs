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
    DescribeConfigsRequest, DescribeProducersRequest, DescribeTransactionsRequest, FindCoordinatorRequest,
    ProducerId, TopicName, TransactionalId, WriteTxnMarkersRequest,
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
/// Longest time in which no partition of the coordinators' log that is not read yet gets longer or ends.
const SILENCE_MAX: Duration = Duration::from_secs(10);
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
    /// No coordinator noted a decision about it, several transactions may be open with different ones, or the partition's leader
    /// takes records that no coordinator knows of.
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
    /// A topic is not there, or partitions of it have no leader: what is open in them cannot be known.
    #[error("{topic}: {what}")]
    Leaderless {
        /// Topic.
        topic: String,
        /// What is missing.
        what: String,
    },
    /// Its coordinator is at work for the same producer.
    #[error("{id}: its coordinator says {state}; nothing is written while it is at work for this producer")]
    Busy {
        /// Transactional id.
        id: String,
        /// What its coordinator says of it.
        state: String,
    },
    /// The coordinators' log is not readable to its end.
    #[error("partitions {0:?} of {DECISIONS} cannot be read to their ends")]
    Unread(BTreeSet<i32>),
    /// A record of the coordinators' log has a form that this version does not know.
    #[error("{DECISIONS} holds records of a version that is not known")]
    Form,
}

/// Returns the transactions that are open in `topics`, with what their coordinators decided. `client` reads uncommitted, tells
/// of partitions' ends, and is not used for anything else meanwhile. `keeps_order` says of a transactional id whether its
/// producers write nothing over an open transaction of the past (ADR 6), so that what is open is the last one.
///
/// # Errors
/// [`SurveyError`].
pub fn survey(
    client: &BaseConsumer,
    topics: &[&str],
    keeps_order: impl Fn(&str) -> bool,
) -> Result<Vec<Found>, SurveyError> {
    let before = open(client, topics)?;
    if before.is_empty() {
        return Ok(before);
    }
    let log = decisions(client, &before.iter().map(|found| found.producer_id).collect())?;
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
        let here = (found.topic.clone(), found.partition);
        let verdict = judge(noted, &here, found.producer_epoch, keeps_order(id));
        if verdict == Verdict::Ongoing || !unverified.contains(&found.leader_id) {
            found.verdict = verdict;
        }
    }
    Ok(still)
}

/// Says what becomes of the open transaction of a producer, by its `epoch`, in a partition, from all that its coordinator noted,
/// oldest first.
fn judge(noted: &[Noted], here: &(String, i32), epoch: i16, keeps_order: bool) -> Verdict {
    let lists = |noted: &&Noted| noted.partitions.contains(here);
    if noted.last().is_some_and(|last| lists(&last)) {
        return Verdict::Ongoing;
    }
    // A coordinator that aborts by itself takes the next epoch.
    let is_decision = |noted: &&Noted| match noted.status {
        Status::PrepareCommit => noted.producer_epoch == epoch,
        Status::PrepareAbort => [epoch, epoch.saturating_add(1)].contains(&noted.producer_epoch),
        _ => false,
    };
    let end = match noted.iter().rev().find(lists).filter(is_decision).map(|noted| noted.status) {
        Some(Status::PrepareCommit) => End::Commit,
        Some(Status::PrepareAbort) => End::Abort,
        _ => return Verdict::Unknown,
    };
    // Of a producer that writes over what is open, several transactions may be.
    let mut decisions = noted.iter().filter(lists).filter(is_decision);
    let is_other = |noted: &Noted| (noted.status == Status::PrepareCommit) != (end == End::Commit);
    if !keeps_order && decisions.any(is_other) { Verdict::Unknown } else { Verdict::Lost(end) }
}

/// Says whether a broker takes records only of transactions that their coordinators know.
fn verifies(id: i32, address: &str) -> Result<bool, SurveyError> {
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

/// Writes the marker that its coordinator owes to a partition, if its coordinator is at rest and the transaction still open.
/// Returns whether it was.
///
/// # Errors
/// [`SurveyError`].
pub fn end(client: &BaseConsumer, found: &Found, end: End) -> Result<bool, SurveyError> {
    at_rest(client, found)?;
    let same = |now: &Found| {
        (now.partition, now.producer_id, now.producer_epoch, now.first_offset)
            == (found.partition, found.producer_id, found.producer_epoch, found.first_offset)
    };
    if !open(client, &[&found.topic])?.iter().any(same) {
        return Ok(false);
    }
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
        None => Ok(true),
    }
}

/// Makes sure that the coordinator of a transaction has nothing open for its transactional id.
fn at_rest(client: &BaseConsumer, found: &Found) -> Result<(), SurveyError> {
    let id = found.transactional_id.clone().unwrap_or_default();
    let busy = |state: String| SurveyError::Busy { id: id.clone(), state };
    let request = FindCoordinatorRequest::default()
        .with_key_type(OF_TRANSACTIONS)
        .with_coordinator_keys(vec![StrBytes::from_string(id.clone())]);
    let answer = asked(&found.leader, FIND_COORDINATOR, &request)?;
    let node = answer.coordinators.first().filter(|node| node.error_code == 0);
    let node = node.map(|node| node.node_id.0).ok_or_else(|| busy("nothing: it is not known".to_owned()))?;
    let metadata = client.fetch_metadata(Some(&found.topic), ANSWER_TIMEOUT)?;
    let address = metadata.brokers().iter().find(|broker| broker.id() == node);
    let address = address.map(|broker| format!("{}:{}", broker.host(), broker.port()));
    let address = address.ok_or_else(|| busy(format!("nothing: broker {node} is gone")))?;
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

fn asked<R: kafka_protocol::protocol::Request>(
    broker: &str,
    version: i16,
    request: &R,
) -> Result<R::Response, SurveyError> {
    let answer = resolve(broker).and_then(|at| ask(at, version, request));
    answer.map_err(|source| SurveyError::Silent { broker: broker.to_owned(), source })
}

/// Returns what is open in `topics`, by what their leaders say.
fn open(client: &BaseConsumer, topics: &[&str]) -> Result<Vec<Found>, SurveyError> {
    let metadata = client.fetch_metadata(None, ANSWER_TIMEOUT)?;
    for topic in topics {
        let leaderless = |what: String| SurveyError::Leaderless { topic: (*topic).to_owned(), what };
        let found = metadata.topics().iter().find(|found| found.name() == *topic);
        let partitions = found.map(rdkafka::metadata::MetadataTopic::partitions).unwrap_or_default();
        if partitions.is_empty() {
            return Err(leaderless("it does not exist".to_owned()));
        }
        let known: BTreeSet<i32> =
            metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect();
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

/// Reads all that the coordinators noted of `producers`, by producer id: its transactional id, and its records, oldest first.
fn decisions(
    client: &BaseConsumer,
    producers: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, (String, Vec<Noted>)>, SurveyError> {
    let metadata = client.fetch_metadata(Some(DECISIONS), ANSWER_TIMEOUT)?;
    let mut from = TopicPartitionList::new();
    // Up to where each partition is read at least: a replica that has just become the leader may not know its end at once.
    let mut left = BTreeMap::new();
    for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
        let (_, end) = client.fetch_watermarks(DECISIONS, partition.id(), ANSWER_TIMEOUT)?;
        from.add_partition_offset(DECISIONS, partition.id(), Offset::Beginning)?;
        left.insert(partition.id(), end);
    }
    client.assign(&from)?;
    let (mut heard, mut log) = (Instant::now(), BTreeMap::<_, (String, Vec<_>)>::new());
    while !left.is_empty() {
        match client.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                if left.contains_key(&record.partition()) {
                    heard = Instant::now();
                }
                let Some(id) = record.key().and_then(transactional_id) else { continue };
                // A transactional id that expired has no value any more.
                let Some(value) = record.payload() else { continue };
                let noted = noted(value).ok_or(SurveyError::Form)?;
                if producers.contains(&noted.producer_id) {
                    log.entry(noted.producer_id).or_insert_with(|| (id, Vec::new())).1.push(noted);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let at = client.position()?;
                let at = at.find_partition(DECISIONS, partition).and_then(|at| at.offset().to_raw());
                if left.get(&partition).is_some_and(|end| *end == 0 || at.is_some_and(|at| at >= *end)) {
                    heard = Instant::now();
                    left.remove(&partition);
                }
            }
            Some(Err(error)) => tracing::warn!(%error, "{DECISIONS}"),
            None => {}
        }
        if heard.elapsed() > SILENCE_MAX {
            client.unassign()?;
            return Err(SurveyError::Unread(left.into_keys().collect()));
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

    fn step(status: Status, epoch: i16, partitions: &[i32]) -> Noted {
        let partitions = partitions.iter().map(|partition| ("t".to_owned(), *partition)).collect();
        Noted { producer_id: 1, producer_epoch: epoch, status, partitions }
    }

    fn judged(log: &[&Noted], keeps_order: bool) -> Verdict {
        let log: Vec<_> = log.iter().map(|noted| (*noted).clone()).collect();
        judge(&log, &("t".to_owned(), 1), 3, keeps_order)
    }

    #[test]
    fn what_becomes_of_a_transaction_follows_from_the_last_record_that_lists_its_partition() {
        let over = step(Status::Other, 3, &[]);
        let (commit, abort) = (step(Status::PrepareCommit, 3, &[0, 1]), step(Status::PrepareAbort, 3, &[1]));
        let fencing = step(Status::PrepareAbort, 4, &[1]);
        let ongoing = step(Status::Ongoing, 3, &[0, 1]);
        let elsewhere = step(Status::Ongoing, 3, &[0]);
        for keeps_order in [false, true] {
            let judged = |log: &[&Noted]| judged(log, keeps_order);
            assert_eq!(judged(&[&ongoing, &commit, &over]), Verdict::Lost(End::Commit));
            assert_eq!(
                judged(&[&ongoing, &commit, &over, &ongoing, &commit, &over]),
                Verdict::Lost(End::Commit)
            );
            // Another transaction without the partition has begun since.
            assert_eq!(judged(&[&ongoing, &abort, &over, &elsewhere]), Verdict::Lost(End::Abort));
            assert_eq!(judged(&[&ongoing, &fencing, &over]), Verdict::Lost(End::Abort));
            assert_eq!(judged(&[&ongoing]), Verdict::Ongoing);
            assert_eq!(judged(&[&ongoing, &commit]), Verdict::Ongoing);
            // Its decision is missing: nobody may guess.
            assert_eq!(judged(&[&ongoing, &over]), Verdict::Unknown);
            assert_eq!(judged(&[&ongoing, &commit, &over, &ongoing, &over]), Verdict::Unknown);
            assert_eq!(judged(&[&over]), Verdict::Unknown);
            assert_eq!(judged(&[]), Verdict::Unknown);
            // What was decided for another epoch is another transaction.
            let older = step(Status::PrepareCommit, 2, &[1]);
            let newer = step(Status::PrepareCommit, 4, &[1]);
            assert_eq!(judged(&[&older, &over]), Verdict::Unknown);
            assert_eq!(judged(&[&newer, &over]), Verdict::Unknown);
        }
        // Either may be what is open, unless the producer wrote nothing over an open one.
        let both = [&ongoing, &commit, &over, &ongoing, &abort, &over];
        assert_eq!(judged(&both, false), Verdict::Unknown);
        assert_eq!(judged(&both, true), Verdict::Lost(End::Abort));
    }
}
