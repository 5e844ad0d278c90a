//! Offsets as Kafka has them, asked past the process that is being watched.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::error::DemoError;
use super::plan::Plan;

/// How long the broker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Wait between two questions to a coordinator that is not ready.
const COORDINATOR_WAIT: Duration = Duration::from_millis(100);

/// Where one input partition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Topic.
    pub(super) topic: String,
    /// Partition.
    pub(super) partition: i32,
    /// First offset of the log.
    pub(super) start: i64,
    /// The group's committed offset, if it has one.
    pub(super) committed: Option<i64>,
    /// High watermark.
    pub(super) end: i64,
}

impl Place {
    /// Returns the next offset that a new owner reads.
    pub(super) fn next(&self) -> i64 {
        self.committed.unwrap_or(self.start)
    }

    /// Returns how many offsets are not committed.
    pub(super) fn lag(&self) -> u64 {
        u64::try_from(self.end - self.next()).unwrap_or_default()
    }

    /// Returns how many offsets are committed.
    pub(super) fn committed_len(&self) -> u64 {
        u64::try_from(self.next() - self.start).unwrap_or_default()
    }
}

/// Clients that ask for offsets; they never join the group.
pub(super) struct Probe {
    brokers: String,
    /// Sees everything that is written.
    plain: BaseConsumer,
    /// Sees what is committed, and refuses offsets that an open transaction may change.
    stable: BaseConsumer,
    inputs: Vec<(String, u32)>,
    changelog: (String, u32),
    outputs: Vec<(String, u32)>,
}

impl Probe {
    /// Makes the clients; `partitions` is the inputs' count.
    pub(super) fn new(plan: &Plan, partitions: u32) -> Result<Self, DemoError> {
        let topics = &plan.config.topics;
        let brokers = plan.config.kafka.brokers.to_string();
        let changelog = (plan.changelog(), partitions);
        let outputs = vec![(topics.accounts.name.clone(), topics.accounts.partitions), changelog.clone()];
        let client = |isolation: &str| {
            reading_client(plan, isolation).create().map_err(|source| DemoError::Kafka {
                brokers: brokers.clone(),
                during: "making a client",
                source,
            })
        };
        Ok(Self {
            plain: client("read_uncommitted")?,
            stable: client("read_committed")?,
            inputs: vec![
                (topics.orders.name.clone(), partitions),
                (topics.commands.name.clone(), partitions),
            ],
            changelog,
            outputs,
            brokers,
        })
    }

    /// Returns where every input partition stands, an open transaction's offsets not counted.
    pub(super) fn inputs(&self) -> Result<Vec<Place>, DemoError> {
        let committed = self.committed(&self.plain)?;
        let mut places = Vec::new();
        for (topic, partition) in partitions(&self.inputs) {
            let (start, end) = self.watermarks(&self.plain, topic, partition)?;
            let committed = committed
                .find_partition(topic, partition)
                .and_then(|found| found.error().is_ok().then(|| found.offset()))
                .and_then(|offset| if let Offset::Offset(next) = offset { Some(next) } else { None });
            places.push(Place { topic: topic.to_owned(), partition, start, committed, end });
        }
        Ok(places)
    }

    /// Waits until no open transaction holds offsets of the group back, but no longer than `limit`.
    ///
    /// A transaction that was being committed is over within milliseconds; one that was not stays open until its
    /// owner's successor ends it.
    pub(super) fn await_stable(&self, limit: Duration) -> Result<(), DemoError> {
        let began = std::time::Instant::now();
        loop {
            let committed = self.committed(&self.stable)?;
            if committed.elements().iter().all(|found| found.error().is_ok()) || began.elapsed() >= limit {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns how many offsets of outputs and changelog belong to transactions that are not over.
    pub(super) fn open_records(&self) -> Result<u64, DemoError> {
        let mut open = 0;
        for (topic, partition) in partitions(&self.outputs) {
            let (_, end) = self.watermarks(&self.plain, topic, partition)?;
            let (_, last_stable) = self.watermarks(&self.stable, topic, partition)?;
            open += u64::try_from(end - last_stable).unwrap_or_default();
        }
        Ok(open)
    }

    /// Returns the end offset of each partition of the changelog.
    pub(super) fn changelog_ends(&self) -> Result<Vec<i64>, DemoError> {
        let (topic, count) = &self.changelog;
        let changelog = [(topic.clone(), *count)];
        partitions(&changelog)
            .map(|(topic, partition)| Ok(self.watermarks(&self.plain, topic, partition)?.1))
            .collect()
    }

    fn committed(&self, client: &BaseConsumer) -> Result<TopicPartitionList, DemoError> {
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in partitions(&self.inputs) {
            asked.add_partition(topic, partition);
        }
        let begun = Instant::now();
        loop {
            match client.committed_offsets(asked.clone(), TIMEOUT) {
                Ok(found) => return Ok(found),
                // A broker that has just started is still loading its groups.
                Err(_) if begun.elapsed() < TIMEOUT => std::thread::sleep(COORDINATOR_WAIT),
                Err(error) => return Err(self.failed("reading committed offsets")(error)),
            }
        }
    }

    fn watermarks(
        &self,
        client: &BaseConsumer,
        topic: &str,
        partition: i32,
    ) -> Result<(i64, i64), DemoError> {
        client.fetch_watermarks(topic, partition, TIMEOUT).map_err(self.failed("reading end offsets"))
    }

    fn failed(&self, during: &'static str) -> impl FnOnce(KafkaError) -> DemoError {
        move |source| DemoError::Kafka { brokers: self.brokers.clone(), during, source }
    }
}

/// Returns the settings that every client begins with.
pub(super) fn client(plan: &Plan) -> ClientConfig {
    let mut config = ClientConfig::new();
    plan.config.kafka.consumer.apply(&mut config);
    config.set("bootstrap.servers", plan.config.kafka.brokers.to_string());
    config
}

/// Returns the settings of a client that reads.
pub(super) fn reading_client(plan: &Plan, isolation: &str) -> ClientConfig {
    let mut config = client(plan);
    config
        .set("group.id", &plan.config.app.id)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation);
    config
}

fn partitions(topics: &[(String, u32)]) -> impl Iterator<Item = (&str, i32)> {
    topics.iter().flat_map(|(topic, count)| {
        let count = i32::try_from(*count).unwrap_or(i32::MAX);
        (0..count).map(|partition| (topic.as_str(), partition))
    })
}
