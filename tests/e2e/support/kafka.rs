//! What a test does to topics behind the application's back: reads, writes, cuts and reconfigures them.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::offsets::Ends;
use super::world::World;

const WAIT: Duration = Duration::from_secs(30);

/// A record, read or to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) partition: i32,
    /// Where it was read.
    pub(crate) offset: i64,
    /// `None` = the time of writing.
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Row {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let header = |h: Header<'_, &[u8]>| (h.key.to_owned(), h.value.unwrap_or_default().to_vec());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().unwrap_or_default().to_vec(),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.map(header).collect(),
        }
    }

    /// Returns a header as text.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(key, _)| key == name)?;
        Some(String::from_utf8_lossy(&found.1).into_owned())
    }
}

/// Begins a transaction that has nothing to do with the application, writes a record to a partition of it, and leaves it open.
pub(crate) fn open_transaction(world: &World, topic: &str, partition: i32) -> BaseProducer {
    let mut config = config(world);
    config.set("transactional.id", format!("{}-foreign", world.app)).set("transaction.timeout.ms", "600000");
    let producer: BaseProducer = config.create().unwrap_or_else(|error| panic!("producer: {error}"));
    let opened =
        producer.init_transactions(WAIT).and_then(|()| producer.begin_transaction()).and_then(|()| {
            let record = BaseRecord::to(topic).partition(partition).key("foreign").payload("open");
            producer.send(record).map_err(|(error, _)| error)?;
            producer.flush(WAIT)
        });
    opened.unwrap_or_else(|error| panic!("{topic}-{partition}: {error}"));
    producer
}

fn config(world: &World) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &world.brokers).set("isolation.level", "read_committed");
    config
}

/// Returns everything committed in `topic`, by partition and offset.
pub(crate) fn read(world: &World, topic: &str) -> Vec<Row> {
    let consumer: BaseConsumer = config(world)
        .set("group.id", "reader")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap_or_else(|error| panic!("consumer: {error}"));
    let (mut rows, mut list) = (Vec::new(), TopicPartitionList::new());
    let partitions = Ends::of(world, topic).last_stable.len();
    for partition in 0..partitions {
        let partition = i32::try_from(partition).unwrap_or(0);
        let added = list.add_partition_offset(topic, partition, Offset::Beginning);
        added.unwrap_or_else(|error| panic!("{topic}: {error}"));
    }
    consumer.assign(&list).unwrap_or_else(|error| panic!("{topic}: {error}"));
    let (begun, mut ended) = (Instant::now(), BTreeSet::new());
    while ended.len() < partitions {
        assert!(begun.elapsed() < WAIT, "{topic}: the ends of {ended:?} only");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => rows.push(Row::of(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => {}
        }
    }
    rows.sort_by_key(|row| (row.partition, row.offset));
    rows
}

/// Writes `rows` in one committed transaction of a producer of its own.
pub(crate) fn append(world: &World, topic: &str, rows: &[Row]) {
    append_with(world, topic, rows, "none");
}

/// As [`append`] with one row, compressed: what the topic takes may be a thousand times as large in memory.
pub(crate) fn append_zipped(world: &World, topic: &str, row: &Row) {
    append_with(world, topic, std::slice::from_ref(row), "gzip");
}

fn append_with(world: &World, topic: &str, rows: &[Row], compression: &str) {
    let producer: BaseProducer = config(world)
        .set("compression.type", compression)
        .set("transactional.id", format!("{topic}-test"))
        // The topic decides what is too large.
        .set("message.max.bytes", "100000000")
        .create()
        .unwrap_or_else(|error| panic!("producer: {error}"));
    let check = |result: KafkaResult<()>| result.unwrap_or_else(|e| panic!("{topic}: {e}"));
    check(producer.init_transactions(WAIT));
    check(producer.begin_transaction());
    for row in rows {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(row.partition).key(row.key.as_slice());
        if let Some(value) = &row.value {
            record = record.payload(value);
        }
        if let Some(timestamp_ms) = row.timestamp_ms {
            record = record.timestamp(timestamp_ms);
        }
        let headers = row.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value.as_slice()) })
        });
        if !row.headers.is_empty() {
            record = record.headers(headers);
        }
        check(producer.send(record).map_err(|(error, _)| error));
    }
    check(producer.commit_transaction(WAIT));
}

fn wait<T>(what: &str, future: impl Future<Output = KafkaResult<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("runtime: {error}"));
    runtime.block_on(future).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn admin(world: &World) -> AdminClient<DefaultClientContext> {
    config(world).create().unwrap_or_else(|error| panic!("admin client: {error}"))
}

/// Sets the whole configuration of a topic; what is not named gets the broker's default.
pub(crate) fn configure(world: &World, topic: &str, settings: &[(&str, &str)]) {
    let start = AlterConfig::new(ResourceSpecifier::Topic(topic));
    let wanted = settings.iter().fold(start, |all, (key, value)| all.set(key, value));
    for result in wait(topic, admin(world).alter_configs([&wanted], &AdminOptions::new())) {
        result.unwrap_or_else(|(_, code)| panic!("{topic}: {code}"));
    }
}

/// Deletes the records of every partition of `topic` below `offset`; below its end, all of them.
pub(crate) fn delete_below(world: &World, topic: &str, offset: Offset) {
    let mut list = TopicPartitionList::new();
    for partition in 0..Ends::of(world, topic).last_stable.len() {
        let partition = i32::try_from(partition).unwrap_or(0);
        let added = list.add_partition_offset(topic, partition, offset);
        added.unwrap_or_else(|error| panic!("{topic}: {error}"));
    }
    let done = wait(topic, admin(world).delete_records(&list, &AdminOptions::new()));
    for partition in done.elements() {
        partition.error().unwrap_or_else(|error| panic!("{topic}-{}: {error}", partition.partition()));
    }
}
