//! Asking the brokers: committed offsets, ends, and whether a record waits between them.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::row::{Committed, Row, Waiting};
use crate::cli::reader::reader;
use crate::cli::{Exit, Failure};
use crate::config::Config;

/// How long a broker may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transaction may hold the committed offsets before they are shown as pinned.
const PINNED_PATIENCE: Duration = Duration::from_secs(2);
/// Time between two looks whether it still does.
const PINNED_POLL: Duration = Duration::from_millis(100);
/// How long is looked for a record between the committed and the last stable offset.
const WAITING_PATIENCE: Duration = Duration::from_secs(5);

type Key = (String, i32);

/// Returns what is known of every partition of `topics`, in their order.
pub(super) fn rows(config: &Config, topics: &[&str]) -> Result<Vec<Row>, Failure> {
    let stable = reader(config, "read_committed").map_err(|error| failed(config, &error))?;
    let uncommitted = reader(config, "read_uncommitted").map_err(|error| failed(config, &error))?;
    let partitions = partitions(&stable, config, topics)?;
    let answer = || -> Result<Vec<Row>, KafkaError> {
        let committed = committed(&stable, &partitions)?;
        let mut rows = vec![];
        for (topic, partition) in &partitions {
            // With read_committed the upper end is the last stable offset.
            let (log_start, last_stable) = stable.fetch_watermarks(topic, *partition, ANSWER_TIMEOUT)?;
            let (_, high_watermark) = uncommitted.fetch_watermarks(topic, *partition, ANSWER_TIMEOUT)?;
            let key = (topic.clone(), *partition);
            rows.push(Row {
                topic: topic.clone(),
                partition: *partition,
                committed: committed.get(&key).cloned().unwrap_or(Committed::None),
                log_start,
                last_stable,
                high_watermark,
                waiting: Waiting::Unknown,
            });
        }
        look_for_records(&stable, topics, &mut rows)?;
        Ok(rows)
    };
    answer().map_err(|error| failed(config, &error))
}

fn failed(config: &Config, error: &KafkaError) -> Failure {
    let brokers = &config.kafka.brokers;
    let message = format!("the brokers at {brokers} do not say how far group {} is: {error}", config.app.id);
    Failure::new(Exit::Failed, "millpond::kafka::unreachable", message).help(
        "is the address in kafka.brokers right, and do the brokers advertise listeners that \
         this host reaches?",
    )
}

fn partitions(client: &BaseConsumer, config: &Config, topics: &[&str]) -> Result<Vec<Key>, Failure> {
    let mut all = vec![];
    for topic in topics {
        let metadata =
            client.fetch_metadata(Some(topic), ANSWER_TIMEOUT).map_err(|error| failed(config, &error))?;
        let found =
            metadata.topics().iter().find(|found| found.name() == *topic && !found.partitions().is_empty());
        let Some(found) = found else {
            let message = format!("topic {topic} does not exist on {}", config.kafka.brokers);
            let failure = Failure::new(Exit::Precondition, "millpond::topics::missing", message);
            return Err(failure.help("`millpond topics init` shows what it would create"));
        };
        let mut ids: Vec<i32> = found.partitions().iter().map(|partition| partition.id()).collect();
        ids.sort_unstable();
        all.extend(ids.into_iter().map(|id| ((*topic).to_owned(), id)));
    }
    Ok(all)
}

/// Returns what is committed; waits a little while open transactions pin some of it.
fn committed(client: &BaseConsumer, partitions: &[Key]) -> Result<BTreeMap<Key, Committed>, KafkaError> {
    let begun = Instant::now();
    loop {
        // A new list per question: librdkafka writes its answer into the old one.
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let answer = client.committed_offsets(list, ANSWER_TIMEOUT);
        let answer = match answer {
            // Where all are pinned, the error of each is the error of the question.
            Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnstableOffsetCommit)) => None,
            // A broker that has just started is still loading its groups.
            Err(KafkaError::MetadataFetch(
                RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress,
            )) if begun.elapsed() < ANSWER_TIMEOUT => {
                thread::sleep(PINNED_POLL);
                continue;
            }
            other => Some(other?),
        };
        let found = match &answer {
            Some(list) => judged(list)?,
            None => partitions.iter().map(|key| (key.clone(), Committed::Pinned)).collect(),
        };
        let pinned = found.values().any(|committed| *committed == Committed::Pinned);
        if !pinned || begun.elapsed() > PINNED_PATIENCE {
            return Ok(found);
        }
        thread::sleep(PINNED_POLL);
    }
}

/// Reads each partition's error before its offset: an unstable one has an offset of no meaning.
fn judged(list: &TopicPartitionList) -> Result<BTreeMap<Key, Committed>, KafkaError> {
    let mut found = BTreeMap::new();
    for element in list.elements() {
        let committed = match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(offset)) => Committed::At(offset),
            (Ok(()), _) => Committed::None,
            (Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnstableOffsetCommit)), _) => Committed::Pinned,
            (Err(error), _) => return Err(error),
        };
        found.insert((element.topic().to_owned(), element.partition()), committed);
    }
    Ok(found)
}

/// Finds out for every partition that is not at its end whether a record waits there, and how old it is.
fn look_for_records(client: &BaseConsumer, topics: &[&str], rows: &mut [Row]) -> Result<(), KafkaError> {
    // One topic after the other: the end of a partition is told without its topic.
    topics.iter().try_for_each(|topic| {
        let mut of_topic: Vec<&mut Row> = rows.iter_mut().filter(|row| row.topic == *topic).collect();
        look_in_topic(client, &mut of_topic)
    })
}

fn look_in_topic(client: &BaseConsumer, rows: &mut [&mut Row]) -> Result<(), KafkaError> {
    let mut from = TopicPartitionList::new();
    for row in rows.iter_mut() {
        match row.next() {
            Some(next) if next >= row.last_stable => row.waiting = Waiting::Nothing,
            Some(next) if next >= row.log_start => {
                from.add_partition_offset(&row.topic, row.partition, Offset::Offset(next))?;
            }
            // Pinned, or removed by retention: there is nowhere to look.
            _ => {}
        }
    }
    client.assign(&from)?;
    let (begun, mut open) = (Instant::now(), from.count());
    while open > 0 && begun.elapsed() < WAITING_PATIENCE {
        let (partition, waiting) = match client.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Ok(record)) => {
                (record.partition(), Waiting::Record { timestamp_ms: record.timestamp().to_millis() })
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => (partition, Waiting::Nothing),
            Some(Err(error)) => return Err(error),
        };
        let unknown = |row: &&mut &mut Row| row.partition == partition && row.waiting == Waiting::Unknown;
        if let Some(row) = rows.iter_mut().find(unknown) {
            row.waiting = waiting;
            open -= 1;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
