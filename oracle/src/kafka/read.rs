//! Reads a topic from its log start to the ends that were noted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, Timestamp, TopicPartitionList};

use super::connect::{Isolation, consumer};
use super::span::TopicSpan;
use crate::error::OracleError;
use crate::target::Target;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_WAIT: Duration = Duration::from_millis(100);

/// How long nothing may come before reading is given up.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// How often reading is begun anew where the broker says that the next offset is not there.
const REFUSED_MAX: u32 = 10;

/// Hands every committed record below the noted ends to `visit`, per partition in offset order.
pub(crate) fn read_topic(
    target: &Target,
    topic: &TopicSpan,
    visit: &mut dyn FnMut(&BorrowedMessage<'_>),
) -> Result<(), OracleError> {
    let reader = consumer(target, Isolation::Committed)?;
    // Without this the first fetch of a topic that is not subscribed waits for a leader scan of 1 s.
    let what = OracleError::kafka(format!("metadata of {}", topic.topic));
    reader.fetch_metadata(Some(&topic.topic), ANSWER_TIMEOUT).map_err(what)?;
    let wanted = topic.spans.iter().filter(|span| span.start < span.stable);
    let mut open: BTreeMap<i32, i64> = wanted.map(|span| (span.partition, span.start)).collect();
    assign(&reader, topic, &open)?;
    drain(&reader, topic, &mut open, visit)
}

/// Reads on from the next offset of each partition in `open`.
fn assign(reader: &BaseConsumer, topic: &TopicSpan, open: &BTreeMap<i32, i64>) -> Result<(), OracleError> {
    let what = || OracleError::kafka(format!("assigning {}", topic.topic));
    let mut list = TopicPartitionList::new();
    for (partition, next) in open {
        list.add_partition_offset(&topic.topic, *partition, Offset::Offset(*next)).map_err(what())?;
    }
    reader.assign(&list).map_err(what())
}

/// `open`: the next offset of each partition that is not read to its end.
fn drain(
    reader: &BaseConsumer,
    topic: &TopicSpan,
    open: &mut BTreeMap<i32, i64>,
    visit: &mut dyn FnMut(&BorrowedMessage<'_>),
) -> Result<(), OracleError> {
    let mut last_progress = Instant::now();
    let (mut since_clock, mut refused) = (0_u32, 0);
    // Partitions whose leader knows all that is to be read.
    let mut whole: BTreeSet<i32> = BTreeSet::new();
    while !open.is_empty() {
        match reader.poll(POLL_WAIT) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                // What was on its way before a new assignment comes twice.
                let Some(next) = open.get_mut(&partition).filter(|next| offset >= **next) else { continue };
                *next = offset + 1;
                let end = topic.of(partition).map_or(0, |span| span.stable);
                if offset < end {
                    visit(&message);
                }
                if offset + 1 >= end {
                    open.remove(&partition);
                }
                since_clock += 1;
                if since_clock >= 10_000 {
                    (since_clock, last_progress) = (0, Instant::now());
                }
                continue;
            }
            // The end of what the leader knew: trusted only once it is seen to know all that was noted.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if whole.contains(&partition) {
                    open.remove(&partition);
                    last_progress = Instant::now();
                } else if open.contains_key(&partition) {
                    let what = || OracleError::kafka(format!("the end of {}-{partition}", topic.topic));
                    let ends = reader.fetch_watermarks(&topic.topic, partition, ANSWER_TIMEOUT);
                    // Of a client that reads what is committed, the second one is the last stable offset.
                    if ends.map_err(what())?.1 >= topic.of(partition).map_or(0, |span| span.stable) {
                        whole.insert(partition);
                    }
                    assign(reader, topic, open)?;
                }
            }
            Some(Err(error)) if is_passing(&error) => {}
            // A broker that has just taken the partition over may know less of it for a moment than it will.
            Some(Err(error)) if is_reset(&error) && refused < REFUSED_MAX => {
                refused += 1;
                std::thread::sleep(POLL_WAIT);
                assign(reader, topic, open)?;
            }
            Some(Err(error)) => return Err(OracleError::kafka(format!("reading {}", topic.topic))(error)),
            None => {}
        }
        if std::mem::take(&mut since_clock) > 0 {
            last_progress = Instant::now();
        }
        if last_progress.elapsed() > STALL_LIMIT {
            let seconds = STALL_LIMIT.as_secs();
            return Err(OracleError::Stalled { topic: topic.topic.clone(), seconds });
        }
    }
    Ok(())
}

/// Tells whether the broker has no record at the offset that was asked for.
fn is_reset(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
}

/// Tells whether librdkafka goes on by itself after this error.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
        )
    )
}

/// Returns the record's timestamp, ms since the epoch; -1 without one.
pub(crate) fn timestamp_ms(message: &BorrowedMessage<'_>) -> i64 {
    match message.timestamp() {
        Timestamp::NotAvailable => -1,
        Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => ms,
    }
}
