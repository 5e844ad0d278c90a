//! Topics and records on the test cluster.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

/// Bootstrap servers of the tests.
pub(crate) fn brokers() -> String {
    std::env::var("MILLPOND_TEST_BROKERS")
        .expect("MILLPOND_TEST_BROKERS must name a Kafka broker, as `./dev test` does")
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers());
    config
}

/// An admin client of the test cluster.
fn admin() -> AdminClient<DefaultClientContext> {
    config().create().expect("admin client")
}

/// Creates a topic.
pub(crate) async fn create_topic(name: &str, partitions: i32) {
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for result in admin().create_topics([&topic], &AdminOptions::new()).await.expect("create topic") {
        result.expect("topic created");
    }
    // Until the broker that answers knows it.
    let consumer: BaseConsumer = config().create().expect("consumer");
    for _ in 0..100 {
        let metadata = consumer.fetch_metadata(Some(name), Duration::from_secs(5)).expect("metadata");
        if metadata.topics().iter().any(|topic| !topic.partitions().is_empty() && topic.error().is_none()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("topic {name} did not appear");
}

/// Deletes a topic and waits until it is gone.
pub(crate) async fn delete_topic(name: &str) {
    for result in admin().delete_topics(&[name], &AdminOptions::new()).await.expect("delete topic") {
        result.expect("topic deleted");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Deletes the records of a partition below `offset`.
pub(crate) async fn trim(topic: &str, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("offset");
    admin().delete_records(&list, &AdminOptions::new()).await.expect("trim");
}

/// A record to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    Abort,
}

/// A transactional producer.
pub(crate) struct Writer {
    producer: BaseProducer,
    topic: String,
}

const WAIT: Duration = Duration::from_secs(20);

impl Writer {
    pub(crate) fn new(topic: &str) -> Self {
        let producer: BaseProducer = config()
            .set("transactional.id", format!("{topic}-writer"))
            .set("linger.ms", "2")
            .create()
            .expect("producer");
        producer.client().fetch_metadata(None, WAIT).expect("metadata");
        producer.init_transactions(WAIT).expect("init transactions");
        Self { producer, topic: topic.to_owned() }
    }

    /// Writes one transaction.
    pub(crate) fn write(&self, records: &[Record], end: End) {
        self.producer.begin_transaction().expect("begin");
        for record in records {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut new = BaseRecord::to(&self.topic).partition(record.partition).key(&record.key);
            new.headers = Some(headers);
            if let Some(value) = &record.value {
                new = new.payload(value);
            }
            self.producer.send(new).map_err(|(error, _)| error).expect("send");
        }
        self.producer.flush(WAIT).expect("flush");
        match end {
            End::Commit => self.producer.commit_transaction(WAIT).expect("commit"),
            End::Abort => self.producer.abort_transaction(WAIT).expect("abort"),
        }
    }
}

/// A record that was read.
pub(crate) struct Found {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: usize,
}

/// Reads everything that is committed, in order per partition.
pub(crate) fn committed(topic: &str, partitions: i32) -> Vec<Found> {
    let consumer: BaseConsumer = config()
        .set("group.id", "reads-without-a-group")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .create()
        .expect("consumer");
    let mut found = Vec::new();
    for partition in 0..partitions {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("offset");
        consumer.assign(&list).expect("assign");
        loop {
            match consumer.poll(WAIT).expect("a record or the end in time") {
                Err(KafkaError::PartitionEOF(_)) => break,
                Err(error) => panic!("{topic}-{partition}: {error}"),
                Ok(message) => found.push(Found {
                    partition,
                    offset: message.offset(),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: message.headers().map_or(0, |headers| headers.count()),
                }),
            }
        }
    }
    found
}

/// Where a partition ends, once no transaction is open: markers are written after a commit has returned.
pub(crate) fn end(topic: &str, partition: i32) -> i64 {
    let high = |isolation: &str| {
        let consumer: BaseConsumer = config().set("isolation.level", isolation).create().expect("consumer");
        consumer.fetch_watermarks(topic, partition, WAIT).expect("watermarks").1
    };
    for _ in 0..200 {
        let end = high("read_uncommitted");
        if high("read_committed") == end {
            return end;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{topic}-{partition}: a transaction stays open");
}

/// Offset committed to a group, -1 without one.
pub(crate) fn group_offset(group: &str, topic: &str, partition: i32) -> i64 {
    let consumer: BaseConsumer = config().set("group.id", group).create().expect("consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let offsets = consumer.committed_offsets(list, WAIT).expect("committed offsets");
    offsets.find_partition(topic, partition).and_then(|found| found.offset().to_raw()).unwrap_or(-1).max(-1)
}
