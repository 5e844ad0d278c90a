//! Transactions whose end the brokers lost: found, and ended as their coordinator had decided.
//!
//! A broker that is alone and is killed while its coordinator ends a transaction resumes that end when it is back, before it
//! knows all of its partitions again, takes those for deleted and notes the transaction as complete without a marker in
//! them. What the coordinator had decided is in its log, `__transaction_state`. Kafka's own tool can only abort: where the
//! decision was to commit, that would tear the transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    DescribeProducersRequest, MetadataRequest, ProducerId, WriteTxnMarkersRequest,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use super::Cluster;
use super::ask::ask;
use super::broker::Broker;
use super::roles::topic_name;

/// Where coordinators note what they decide.
const DECISIONS: &str = "__transaction_state";
/// Longest wait for an answer and for the end of the coordinators' log.
const PATIENCE: Duration = Duration::from_secs(10);
const METADATA: i16 = 12;
const WRITE_TXN_MARKERS: i16 = 1;
/// States of a transaction in the coordinators' log.
const PREPARE_COMMIT: i8 = 2;
const PREPARE_ABORT: i8 = 3;

/// Transactions that were ended, a partition each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostEnds {
    /// Ends that were commits.
    pub(crate) commits: usize,
    /// Ends that were aborts.
    pub(crate) aborts: usize,
}

impl std::ops::AddAssign for LostEnds {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.aborts += other.aborts;
    }
}

impl fmt::Display for LostEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commits and {} aborts", self.commits, self.aborts)
    }
}

/// One record of the coordinators' log.
#[derive(Debug)]
struct Noted {
    status: i8,
    partitions: Vec<(String, i32)>,
}

impl Cluster {
    /// Ends, as their coordinator had decided, transactions that are open in a partition although their coordinator takes them
    /// for complete; returns how many partitions there were.
    pub(crate) fn end_lost(&self) -> LostEnds {
        let open = self.open_transactions();
        let mut ended = LostEnds::default();
        if open.is_empty() {
            return ended;
        }
        let Some(log) = decisions(&self.addresses()) else { return ended };
        // What is open now and was before the log was read was not just about to be ended.
        let still = self.open_transactions();
        let key = |topic: &str, partition: i32, producer: &ProducerState| {
            (topic.to_owned(), partition, producer.producer_id.0, producer.current_txn_start_offset)
        };
        let still: BTreeSet<_> =
            still.iter().map(|(_, topic, partition, producer)| key(topic, *partition, producer)).collect();
        for (broker, topic, partition, producer) in open {
            if !still.contains(&key(&topic, partition, &producer)) {
                continue;
            }
            let id = producer.producer_id.0;
            let here = (topic.clone(), partition);
            let noted = log.get(&id).map_or(&[][..], Vec::as_slice);
            let lists = |noted: &Noted| noted.partitions.contains(&here);
            // Its coordinator will end it.
            if noted.last().is_some_and(lists) {
                continue;
            }
            let decision = noted.iter().rev().find(|noted| lists(noted)).map(|noted| noted.status);
            let commit = match decision {
                Some(PREPARE_COMMIT) => true,
                Some(PREPARE_ABORT) => false,
                // It may not have been noted yet when the log was read.
                other => {
                    eprintln!(
                        "{topic}-{partition}: open by producer {id}, and its coordinator noted {other:?}"
                    );
                    continue;
                }
            };
            eprintln!(
                "{topic}-{partition} from {}: the end of producer {id}'s transaction was lost; {} now, as decided",
                producer.current_txn_start_offset,
                if commit { "committed" } else { "aborted" }
            );
            end(broker, &topic, partition, &producer, commit);
            if commit {
                ended.commits += 1;
            } else {
                ended.aborts += 1;
            }
        }
        ended
    }

    /// Aborts what is open in one partition, whatever its coordinator knows of it; returns how many transactions.
    pub(crate) fn abort(&self, topic: &str, partition: i32) -> usize {
        let open = self.open_transactions().into_iter();
        let here = open.filter(|(_, name, at, _)| name == topic && *at == partition);
        here.map(|(broker, _, _, producer)| end(broker, topic, partition, &producer, false)).count()
    }

    /// Returns what is open in any partition, with the leader that says so.
    fn open_transactions(&self) -> Vec<(&Broker, String, i32, ProducerState)> {
        let mut open = Vec::new();
        for broker in self.running() {
            let all = ask(broker.address(), METADATA, &MetadataRequest::default().with_topics(None));
            let Ok(all) = all else { continue };
            for topic in all.topics {
                let Some(name) = topic.name else { continue };
                let led = topic.partitions.iter().filter(|found| found.leader_id.0 == broker.id());
                let led: Vec<i32> = led.map(|found| found.partition_index).collect();
                let request = TopicRequest::default().with_name(name.clone()).with_partition_indexes(led);
                let request = DescribeProducersRequest::default().with_topics(vec![request]);
                let Ok(answer) = ask(broker.address(), 0, &request) else { continue };
                for found in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                    let all = found.active_producers.into_iter();
                    for producer in all.filter(|producer| producer.current_txn_start_offset >= 0) {
                        open.push((broker, name.to_string(), found.partition_index, producer));
                    }
                }
            }
        }
        open
    }
}

/// Writes the marker that ends a transaction in one partition.
fn end(broker: &Broker, topic: &str, partition: i32, producer: &ProducerState, commit: bool) {
    let topics = WritableTxnMarkerTopic::default().with_name(topic_name(topic));
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer.producer_id.0))
        .with_producer_epoch(i16::try_from(producer.producer_epoch).unwrap_or_else(|e| panic!("epoch: {e}")))
        .with_transaction_result(commit)
        .with_topics(vec![topics.with_partition_indexes(vec![partition])])
        .with_coordinator_epoch(producer.coordinator_epoch.max(0));
    let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let answer = ask(broker.address(), WRITE_TXN_MARKERS, &request);
    let answer = answer.unwrap_or_else(|error| panic!("marker for {topic}-{partition}: {error}"));
    let topics = answer.markers.into_iter().flat_map(|marker| marker.topics);
    for found in topics.flat_map(|topic| topic.partitions) {
        assert_eq!(found.error_code, 0, "marker for {topic}-{partition} was refused");
    }
}

/// Reads all that the coordinators noted, by producer id, oldest first; `None` if a partition cannot be read to its end now.
fn decisions(servers: &str) -> Option<BTreeMap<i64, Vec<Noted>>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "lost-ends").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_uncommitted").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap_or_else(|error| panic!("{error}"));
    let metadata = consumer.fetch_metadata(Some(DECISIONS), PATIENCE);
    let metadata = metadata.unwrap_or_else(|error| panic!("{DECISIONS}: {error}"));
    let mut from = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        from.add_partition_offset(DECISIONS, partition.id(), Offset::Beginning)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let mut left: BTreeSet<i32> = from.elements().iter().map(|element| element.partition()).collect();
    consumer.assign(&from).unwrap_or_else(|error| panic!("{error}"));
    let (begun, mut log) = (Instant::now(), BTreeMap::<_, Vec<_>>::new());
    while !left.is_empty() {
        if begun.elapsed() > PATIENCE {
            eprintln!(
                "partitions {left:?} of {DECISIONS} are not read within {PATIENCE:?}; looked at again later"
            );
            return None;
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                if let Some((producer, noted)) = record.payload().and_then(parse) {
                    log.entry(producer).or_default().push(noted);
                }
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
            }
            Some(Err(error)) => eprintln!("{DECISIONS}: {error}"),
            None => {}
        }
    }
    Some(log)
}

/// Reads a value of the coordinators' log: producer id and state. Schema: Kafka's `TransactionLogValue.json`, versions 0 and 1.
fn parse(value: &[u8]) -> Option<(i64, Noted)> {
    let mut reader = Reader(value);
    let flexible = match i16::from_be_bytes(reader.take()?) {
        0 => false,
        1 => true,
        version => panic!("{DECISIONS}: version {version} of its values is not known"),
    };
    let producer = i64::from_be_bytes(reader.take()?);
    let _epoch: [u8; 2] = reader.take()?;
    let _timeout: [u8; 4] = reader.take()?;
    let status = i8::from_be_bytes(reader.take()?);
    let mut partitions = Vec::new();
    for _ in 0..reader.length(flexible, 4)? {
        let length = reader.length(flexible, 2)?;
        let name = String::from_utf8(reader.bytes(length)?.to_vec()).ok()?;
        for _ in 0..reader.length(flexible, 4)? {
            partitions.push((name.clone(), i32::from_be_bytes(reader.take()?)));
        }
        if flexible {
            reader.skip_tags()?;
        }
    }
    Some((producer, Noted { status, partitions }))
}

/// Bytes that are not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// Reads a length: of `fixed` bytes, or, in the flexible form, a number of any length and one more than it means. None at
    /// all counts as 0.
    fn length(&mut self, flexible: bool, fixed: usize) -> Option<usize> {
        if flexible {
            return Some(self.varint()?.saturating_sub(1));
        }
        let raw = self.bytes(fixed)?;
        let negative = raw.first().is_some_and(|byte| byte & 0x80 != 0);
        let number = raw.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        Some(if negative { 0 } else { number })
    }

    fn varint(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            let _tag = self.varint()?;
            let length = self.varint()?;
            self.bytes(length)?;
        }
        Some(())
    }
}
