//! The dead letters of a finished demo, counted by their reason codes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::error::DemoError;
use super::offsets::reading_client;
use super::plan::Plan;

/// Header that names the reason.
const CODE: &str = "x-dlq-error-code";

/// How long the topic may take to be read to its end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the dead letter topic to its end and counts by reason.
pub(super) fn count(plan: &Plan) -> Result<BTreeMap<String, u64>, DemoError> {
    let topic = &plan.config.topics.deadletter;
    let failed = |source| {
        let brokers = plan.config.kafka.brokers.to_string();
        DemoError::Kafka { brokers, during: "reading dead letters", source }
    };
    let consumer: BaseConsumer = reading_client(plan, "read_committed").create().map_err(failed)?;
    let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(&topic.name, partition, Offset::Beginning).map_err(failed)?;
    }
    consumer.assign(&assignment).map_err(failed)?;
    let (mut counts, mut ended, began) = (BTreeMap::new(), 0, Instant::now());
    while ended < partitions {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => *counts.entry(code(&message)).or_default() += 1,
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(failed(error)),
            None if began.elapsed() < TIMEOUT => {}
            None => return Err(failed(KafkaError::NoMessageReceived)),
        }
    }
    Ok(counts)
}

fn code(message: &BorrowedMessage<'_>) -> String {
    let headers = message.headers();
    let found = headers.and_then(|headers| headers.iter().find(|header| header.key == CODE));
    let value = found.and_then(|header| header.value).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

/// Returns the reasons whose counts differ, each as text.
pub(super) fn differences(
    expected: &BTreeMap<&'static str, u64>,
    found: &BTreeMap<String, u64>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for (code, expected) in expected {
        let found = found.get(*code).copied().unwrap_or_default();
        if found != *expected {
            differences.push(format!("{code}: {expected} written, {found} found"));
        }
    }
    let unexpected = found.iter().filter(|(code, _)| !expected.contains_key(code.as_str()));
    differences.extend(unexpected.map(|(code, found)| format!("{code}: none written, {found} found")));
    differences
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::differences;

    #[test]
    fn too_few_too_many_and_unexpected_ones_are_told() {
        let expected = BTreeMap::from([("A", 2), ("B", 3), ("C", 1)]);
        let found = BTreeMap::from([("A".to_owned(), 2), ("B".to_owned(), 4), ("D".to_owned(), 1)]);
        let told = differences(&expected, &found);
        assert_eq!(told, ["B: 3 written, 4 found", "C: 1 written, 0 found", "D: none written, 1 found"]);
        assert!(differences(&BTreeMap::from([("A", 2)]), &BTreeMap::from([("A".to_owned(), 2)])).is_empty());
    }
}
