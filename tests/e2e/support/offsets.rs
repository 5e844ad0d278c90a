//! Ends of partitions and the group's lag, as Kafka itself tells them.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::world::World;

const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a broker may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Last stable offset and high watermark of a topic's partitions.
pub(crate) struct Ends {
    pub(crate) last_stable: Vec<i64>,
    pub(crate) high_watermark: Vec<i64>,
}

fn client(world: &World, isolation: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &world.brokers)
        .set("group.id", &world.app)
        .set("isolation.level", isolation);
    config.create().unwrap_or_else(|error| panic!("consumer: {error}"))
}

fn partitions(client: &BaseConsumer, topic: &str) -> Result<i32, KafkaError> {
    let metadata = client.fetch_metadata(Some(topic), TIMEOUT)?;
    Ok(i32::try_from(metadata.topics()[0].partitions().len()).unwrap_or(0))
}

impl Ends {
    /// Asks for the ends of `topic`.
    pub(crate) fn of(world: &World, topic: &str) -> Self {
        Self::try_of(world, topic).unwrap_or_else(|error| panic!("{topic}: {error}"))
    }

    /// The same, of brokers that may not answer.
    pub(crate) fn try_of(world: &World, topic: &str) -> Result<Self, KafkaError> {
        let ends = |isolation: &str| -> Result<Vec<i64>, KafkaError> {
            let client = client(world, isolation);
            let end = |partition| Ok(client.fetch_watermarks(topic, partition, TIMEOUT)?.1);
            (0..partitions(&client, topic)?).map(end).collect()
        };
        Ok(Self { last_stable: ends("read_committed")?, high_watermark: ends("read_uncommitted")? })
    }

    /// Returns the partitions whose end is covered by an open transaction.
    pub(crate) fn open(&self) -> Vec<usize> {
        let ends = self.last_stable.iter().zip(&self.high_watermark).enumerate();
        ends.filter(|(_, (stable, high))| stable != high).map(|(partition, _)| partition).collect()
    }

    /// Says whether an open transaction covers the end of a partition.
    pub(crate) fn is_open(&self) -> bool {
        self.last_stable != self.high_watermark
    }
}

/// Asks until a broker answers; one that has just started is still loading its groups, a busy one takes its time.
fn patiently<T>(what: &str, ask: impl Fn() -> Result<T, KafkaError>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{what}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn committed(client: &BaseConsumer, topic: &str, partition: i32) -> Result<i64, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    match client.committed_offsets(list, TIMEOUT)?.elements()[0].offset() {
        Offset::Offset(offset) => Ok(offset),
        _ => Ok(0),
    }
}

/// Returns the group's lag over the input topics: high watermark less committed offset, as `kafka-consumer-groups` counts.
pub(crate) fn group_lag(world: &World) -> i64 {
    let client = client(world, "read_uncommitted");
    let of = |topic: &str| -> Result<i64, KafkaError> {
        let lag = |partition| {
            let committed = committed(&client, topic, partition)?;
            Ok(client.fetch_watermarks(topic, partition, TIMEOUT)?.1 - committed)
        };
        (0..partitions(&client, topic)?).map(lag).sum()
    };
    let topics = [world.topic("order.events"), world.topic("account.commands")];
    topics.iter().map(|topic| patiently(topic, || of(topic))).sum()
}

/// Returns the group's committed offset of an input partition; 0 when there is none.
pub(crate) fn committed_offset(world: &World, topic: &str, partition: i32) -> i64 {
    let client = client(world, "read_uncommitted");
    patiently(topic, || committed(&client, topic, partition))
}
