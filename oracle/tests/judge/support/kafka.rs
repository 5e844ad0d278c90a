//! Topics, inputs and committed transactions on a real broker.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

const WAIT: Duration = Duration::from_secs(60);

pub(crate) fn brokers() -> String {
    std::env::var("MILLPOND_TEST_BROKERS").expect("MILLPOND_TEST_BROKERS names a real Kafka, see ./dev test")
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers());
    config
}

pub(crate) fn admin() -> AdminClient<DefaultClientContext> {
    config().create().unwrap()
}

pub(crate) async fn create_topic(name: &str, partitions: i32, policy: &str) {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("cleanup.policy", policy);
    let results = admin().create_topics([&topic], &AdminOptions::new()).await.unwrap();
    results.into_iter().for_each(|result| drop(result.unwrap()));
}

/// A producer, transactional when `id` is given.
pub(crate) fn producer(id: Option<&str>) -> BaseProducer {
    let mut config = config();
    config.set("queue.buffering.max.messages", "0").set("linger.ms", "5");
    if let Some(id) = id {
        // A transaction that is to hang must not expire while a slow machine judges.
        config.set("transactional.id", id).set("transaction.timeout.ms", "300000");
    }
    let producer: BaseProducer = config.create().unwrap();
    if id.is_some() {
        producer.init_transactions(WAIT).unwrap();
    }
    producer
}

/// A record for an explicit partition.
pub(crate) struct Record<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

pub(crate) fn send(producer: &BaseProducer, record: &Record<'_>, headers: &[(String, String)]) {
    let mut out = BaseRecord::<[u8], [u8]>::to(record.topic)
        .partition(record.partition)
        .timestamp(record.timestamp_ms)
        .key(record.key)
        .payload(record.value);
    if !headers.is_empty() {
        out = out.headers(headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value.as_bytes()) })
        }));
    }
    producer.send(out).map_err(|(error, _)| error).unwrap();
    producer.poll(Duration::ZERO);
}

/// Sends offsets with their metadata into the open transaction and commits it.
pub(crate) fn commit(producer: &BaseProducer, group: &str, offsets: &[(String, i32, i64, String)]) {
    let mut list = TopicPartitionList::new();
    for (topic, partition, next, nonce) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*next)).unwrap();
        list.find_partition(topic, *partition).unwrap().set_metadata(nonce);
    }
    let member: BaseConsumer = config().set("group.id", group).create().unwrap();
    let metadata = member.group_metadata().unwrap();
    producer.send_offsets_to_transaction(&list, &metadata, WAIT).unwrap();
    producer.commit_transaction(WAIT).unwrap();
}
