//! Reads a topic from its log start to the ends that were noted.

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
    let mut open: Vec<i32> = Vec::new();
    let mut list = TopicPartitionList::new();
    for span in topic.spans.iter().filter(|span| span.start < span.stable) {
        let what = || OracleError::kafka(format!("assigning {}-{}", topic.topic, span.partition));
        list.add_partition_offset(&topic.topic, span.partition, Offset::Offset(span.start)).map_err(what())?;
        open.push(span.partition);
    }
    reader.assign(&list).map_err(OracleError::kafka(format!("assigning {}", topic.topic)))?;
    drain(&reader, topic, open, visit)
}

fn drain(
    reader: &BaseConsumer,
    topic: &TopicSpan,
    mut open: Vec<i32>,
    visit: &mut dyn FnMut(&BorrowedMessage<'_>),
) -> Result<(), OracleError> {
    let mut last_progress = Instant::now();
    let mut since_clock = 0_u32;
    while !open.is_empty() {
        match reader.poll(POLL_WAIT) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let end = topic.of(partition).map_or(0, |span| span.stable);
                if offset < end {
                    visit(&message);
                }
                if offset + 1 >= end {
                    open.retain(|open| *open != partition);
                }
                since_clock += 1;
                if since_clock >= 10_000 {
                    (since_clock, last_progress) = (0, Instant::now());
                }
                continue;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.retain(|open| *open != partition);
                last_progress = Instant::now();
            }
            Some(Err(error)) if is_passing(&error) => {}
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
