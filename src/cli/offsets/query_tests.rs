//! Against a real broker, named by `MILLPOND_TEST_BROKERS`.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::*;
use crate::app::App;
use crate::config::{Sources, load};
use crate::topics;

const ANSWER: Duration = Duration::from_secs(15);

/// Returns a configuration with topics of its own, which exist.
fn created() -> Config {
    let brokers = std::env::var("MILLPOND_TEST_BROKERS");
    let brokers = brokers.expect("MILLPOND_TEST_BROKERS must name a Kafka broker, as `./dev test` does");
    let prefix = format!("offsets-{}", uuid::Uuid::new_v4().simple());
    let mut set = vec![format!("kafka.brokers={brokers}"), format!("app.id={prefix}")];
    for topic in ["orders", "commands", "accounts", "deadletter"] {
        set.push(format!("topics.{topic}.name={prefix}.{topic}"));
        set.push(format!("topics.{topic}.partitions=1"));
    }
    let config = load(&Sources { set, ..Sources::default() }).unwrap().config;
    topics::ensure(&config, &App::Accounts.topology(&config).unwrap()).unwrap();
    config
}

fn producer(config: &Config) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", config.kafka.brokers.to_string())
        .set("transactional.id", format!("{}-writer", config.app.id))
        .create()
        .unwrap();
    producer.init_transactions(ANSWER).unwrap();
    producer
}

fn write(producer: &BaseProducer, topic: &str) {
    producer
        .send(BaseRecord::to(topic).partition(0).key("1").payload("x").timestamp(1_000))
        .map_err(|(e, _)| e)
        .unwrap();
}

fn commit(config: &Config, offset: i64) {
    let client = reader(config, "read_committed").unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&config.topics.orders.name, 0, Offset::Offset(offset)).unwrap();
    client.commit(&list, rdkafka::consumer::CommitMode::Sync).unwrap();
}

fn orders(config: &Config) -> Row {
    let topics = [config.topics.orders.name.as_str(), config.topics.commands.name.as_str()];
    let rows = rows(config, &topics).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[1].committed.clone(), rows[1].waiting), (Committed::None, Waiting::Nothing));
    rows.into_iter().next().unwrap()
}

/// Returns the row of the orders once their stable end is `end`: a coordinator answers EndTxn before it writes markers.
fn orders_stable_to(config: &Config, end: i64) -> Row {
    let begun = Instant::now();
    loop {
        let row = orders(config);
        if row.last_stable == end {
            return row;
        }
        assert!(begun.elapsed() < ANSWER, "no marker before offset {end}: {row:?}");
        thread::sleep(PINNED_POLL);
    }
}

#[test]
fn markers_open_transactions_and_records_are_told_apart() {
    let config = created();
    let topic = &config.topics.orders.name;
    let producer = producer(&config);
    producer.begin_transaction().unwrap();
    write(&producer, topic);
    write(&producer, topic);
    producer.commit_transaction(ANSWER).unwrap();

    let waiting = orders_stable_to(&config, 3);
    assert_eq!((waiting.committed.clone(), waiting.high_watermark), (Committed::None, 3));
    assert_eq!(waiting.waiting, Waiting::Record { timestamp_ms: Some(1_000) });
    assert_eq!(waiting.lag(), Some(3));

    // The offset after the last record: what is left is the commit marker.
    commit(&config, 2);
    let drained = orders(&config);
    assert_eq!((drained.committed.clone(), drained.lag()), (Committed::At(2), Some(0)));
    assert_eq!(drained.note(), "drained, 1 marker at the end");

    producer.begin_transaction().unwrap();
    write(&producer, topic);
    producer.flush(ANSWER).unwrap();
    let open = orders(&config);
    assert_eq!((open.last_stable, open.high_watermark), (3, 4));
    assert!(open.note().ends_with("1 offset behind an open transaction"), "{}", open.note());
    producer.abort_transaction(ANSWER).unwrap();
    assert_eq!(orders_stable_to(&config, 5).lag(), Some(0));
}

#[test]
fn a_missing_topic_is_named_with_its_cure() {
    let config = created();
    let failure = rows(&config, &["offsets-no-such-topic"]).unwrap_err();
    assert_eq!(failure.exit(), Exit::Precondition);
    assert!(failure.to_string().contains("offsets-no-such-topic"), "{failure}");
}

/// A transaction asks for the committed offsets while the marker of the one before may still be on its way.
#[test]
fn an_offset_is_known_soon_after_its_transaction_ended() {
    /// librdkafka repeats a question after 100 ms unless told otherwise.
    const SOON: Duration = Duration::from_millis(50);
    let config = created();
    let topic = config.topics.orders.name.as_str();
    let producer = producer(&config);
    let group = reader(&config, "read_committed").unwrap().group_metadata().unwrap();
    let client = crate::kafka::ClientConfig::new(&config.kafka.brokers.to_string(), &BTreeMap::new());
    let cluster = crate::kafka::Cluster::new(&client.consumer(&config.app.id, 1 << 20), ANSWER).unwrap();
    let asked = || cluster.committed(&[(topic, 0)], ANSWER).unwrap()[0].offset;
    assert!(asked() < 0, "nothing is committed yet, and the client is connected");
    let mut took = Vec::new();
    for offset in 1..=5 {
        producer.begin_transaction().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
        producer.send_offsets_to_transaction(&list, &group, ANSWER).unwrap();
        let (found, ended, known) = thread::scope(|scope| {
            let asking = scope.spawn(|| (asked(), Instant::now()));
            thread::sleep(Duration::from_millis(10));
            producer.commit_transaction(ANSWER).unwrap();
            let ended = Instant::now();
            let (found, known) = asking.join().unwrap();
            (found, ended, known)
        });
        assert_eq!(found, offset, "a stable offset is waited for");
        took.push(known.saturating_duration_since(ended));
    }
    took.sort_unstable();
    assert!(took[2] < SOON, "{took:?} after the end of the transaction");
}
