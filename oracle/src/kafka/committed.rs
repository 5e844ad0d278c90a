//! Stable committed offsets of the application's group.

use std::collections::HashMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::connect::{Isolation, consumer};
use super::span::TopicSpan;
use crate::error::OracleError;
use crate::place::Side;
use crate::target::Target;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// An open transaction makes the answer unstable until it ends or times out.
const STABLE_WAIT: Duration = Duration::from_secs(30);

/// A committed offset and its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) metadata: String,
}

/// Reads the group's committed offsets on the inputs (orders, commands); partitions without one are left out.
pub(crate) fn committed(
    target: &Target,
    inputs: &[TopicSpan; 2],
) -> Result<HashMap<(Side, i32), Committed>, OracleError> {
    // A read_committed handle asks for stable offsets only.
    let reader = consumer(target, Isolation::Committed)?;
    let until = Instant::now() + STABLE_WAIT;
    loop {
        match ask(&reader, inputs) {
            Ok(found) => return Ok(found),
            Err(_) if Instant::now() < until => sleep(Duration::from_millis(100)),
            Err(source) => {
                return Err(OracleError::kafka(format!("committed offsets of {}", target.app_id))(source));
            }
        }
    }
}

fn ask(
    reader: &BaseConsumer,
    inputs: &[TopicSpan; 2],
) -> Result<HashMap<(Side, i32), Committed>, KafkaError> {
    let mut found = HashMap::new();
    for (side, input) in Side::BOTH.into_iter().zip(inputs) {
        let mut list = TopicPartitionList::new();
        for span in &input.spans {
            list.add_partition(&input.topic, span.partition);
        }
        for element in reader.committed_offsets(list, ANSWER_TIMEOUT)?.elements() {
            // An unstable offset answers success for the whole and an error for the partition.
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                let metadata = element.metadata().to_owned();
                found.insert((side, element.partition()), Committed { offset, metadata });
            }
        }
    }
    Ok(found)
}
