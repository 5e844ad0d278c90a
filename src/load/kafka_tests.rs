//! Load against a real broker: what arrives is what the summary says, also in transactions with aborted copies.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::load::{
    Feed, Generator, LoadError, Mix, Options, Pace, Phase, Record, Stream, Target, Transactions,
};

const PARTITIONS: i32 = 3;

type Content = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

struct Fixture {
    target: Target,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let brokers = std::env::var("MILLPOND_TEST_BROKERS")
            .expect("MILLPOND_TEST_BROKERS must name a Kafka broker, as `./dev test` does");
        let prefix = format!("load-{name}-{}", uuid::Uuid::new_v4());
        let target = Target {
            brokers,
            client: BTreeMap::new(),
            orders: format!("{prefix}.orders"),
            commands: format!("{prefix}.commands"),
        };
        let admin: AdminClient<_> = target.client_config().create().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let topics = [&target.orders, &target.commands].map(|topic| {
            // Without this the broker refuses the misdated records that the ledger must refuse itself.
            NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1))
                .set("message.timestamp.after.max.ms", "9223372036854775807")
        });
        let made = runtime.block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        Self { target, admin, runtime }
    }

    fn generator(&self, orders: u64) -> Generator {
        let mix = Mix { bad: 0.1, others: 0.05, ..Mix::DEMO };
        let partitions = self.target.partitions().unwrap();
        Generator::new(Options { seed: 5, users: 50, orders, zipf: 0.0, mix, partitions }).unwrap()
    }

    /// Sets the largest batch that the broker takes for orders.
    fn set_batch_bytes_max(&self, bytes: &str) {
        let topic = AlterConfig::new(ResourceSpecifier::Topic(&self.target.orders));
        // What is not named goes back to its default.
        let altered = topic
            .set("max.message.bytes", bytes)
            .set("message.timestamp.after.max.ms", "9223372036854775807");
        let told = self.runtime.block_on(self.admin.alter_configs(&[altered], &AdminOptions::new())).unwrap();
        assert!(told.iter().all(Result::is_ok), "{told:?}");
    }

    /// Reads one topic to its end: what each partition holds, in order.
    fn read(&self, topic: &str, isolation: &str) -> Vec<Vec<Content>> {
        let mut config = self.target.client_config();
        config
            .set("group.id", "unused")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation);
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut read = vec![Vec::new(); usize::try_from(PARTITIONS).unwrap()];
        let (mut ended, deadline) = (0, Instant::now() + Duration::from_secs(30));
        while ended < PARTITIONS {
            assert!(Instant::now() < deadline, "{topic} was not read to its end");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    read[usize::try_from(message.partition()).unwrap()].push(content(&message.detach()))
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        read
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let topics = [self.target.orders.as_str(), self.target.commands.as_str()];
        let _ = self.runtime.block_on(self.admin.delete_topics(&topics, &AdminOptions::new()));
    }
}

fn content(message: &OwnedMessage) -> Content {
    let timestamp_ms = message.timestamp().to_millis().unwrap_or(-1);
    (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec), timestamp_ms)
}

/// What a generator of the same seed makes, by partition, without timestamps of its own.
fn expected(records: &[Record], stream: Stream) -> Vec<Vec<(Option<Vec<u8>>, usize)>> {
    let mut partitions = vec![Vec::new(); usize::try_from(PARTITIONS).unwrap()];
    for record in records.iter().filter(|record| record.stream == stream) {
        let length = record.value.as_ref().map_or(usize::MAX, Vec::len);
        partitions[usize::try_from(record.partition).unwrap()].push((record.key.clone(), length));
    }
    partitions
}

fn write(fixture: &Fixture, transactions: Option<Transactions>) -> (Vec<Record>, u64) {
    let stop = AtomicBool::new(false);
    let mut generator = fixture.generator(2_000);
    let mut feed = Feed::new(&fixture.target, transactions).unwrap();
    feed.run(&mut generator, Phase::Funding, Pace::UNLIMITED, &stop).unwrap();
    feed.run(&mut generator, Phase::Orders, Pace::per_second(5_000), &stop).unwrap();
    let meter = feed.meter();
    assert_eq!(meter.sent(), generator.summary().records());
    // Timestamps differ, lengths and keys do not: they are dated in the same number of digits.
    let mut again = fixture.generator(2_000);
    let funding = std::iter::from_fn(|| again.next_funding(1_763_629_954_123)).collect::<Vec<_>>();
    let orders = std::iter::from_fn(|| again.next_order(1_763_629_954_123));
    let records: Vec<_> = funding.into_iter().chain(orders).collect();
    assert_eq!(again.summary(), generator.summary());
    (records, meter.acknowledged())
}

fn shape(read: &[Vec<Content>]) -> Vec<Vec<(Option<Vec<u8>>, usize)>> {
    let one = |(key, value, _): &Content| (key.clone(), value.as_ref().map_or(usize::MAX, Vec::len));
    read.iter().map(|records| records.iter().map(one).collect()).collect()
}

#[test]
fn topics_hold_exactly_what_the_summary_says_in_order() {
    let fixture = Fixture::new("plain");
    let (records, acknowledged) = write(&fixture, None);
    assert_eq!(acknowledged, records.len() as u64);
    let orders = fixture.read(&fixture.target.orders, "read_committed");
    assert_eq!(shape(&orders), expected(&records, Stream::Orders));
    let commands = fixture.read(&fixture.target.commands, "read_committed");
    assert_eq!(shape(&commands), expected(&records, Stream::Commands));

    let all: Vec<_> = orders.into_iter().flatten().collect();
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let misdated = |(_, _, timestamp_ms): &&Content| *timestamp_ms > now_ms + 86_400_000;
    assert!(all.iter().filter(misdated).count() > 0, "the broker took no record from the future");
    assert!(all.iter().filter(|(_, _, ms)| *ms == -86_400_000).count() > 0);
    assert!(all.iter().filter(|(_, _, ms)| *ms == -1).count() > 0);
    assert!(
        all.iter().any(|(key, ..)| key.is_none()) && all.iter().any(|(key, ..)| key.as_deref() == Some(&[]))
    );
    assert!(all.iter().any(|(_, value, _)| value.is_none()));
    assert!(all.iter().any(|(_, value, _)| value.as_deref() == Some(&[])));
}

#[test]
fn aborted_copies_are_on_the_log_and_invisible() {
    let fixture = Fixture::new("transactions");
    let transactions = Transactions { records: 300, abort_every: 2 };
    let (records, _) = write(&fixture, Some(transactions));
    let orders = fixture.read(&fixture.target.orders, "read_committed");
    assert_eq!(shape(&orders), expected(&records, Stream::Orders));
    let uncommitted = fixture.read(&fixture.target.orders, "read_uncommitted");
    let count = |read: &[Vec<Content>]| read.iter().map(Vec::len).sum::<usize>();
    assert!(count(&uncommitted) > count(&orders) + 600, "{} {}", count(&uncommitted), count(&orders));
}

#[test]
fn a_refused_record_fails_the_run() {
    let fixture = Fixture::new("refused");
    let mut target = fixture.target.clone();
    // A client that may not carry 70 KB.
    target.client.insert("message.max.bytes".to_owned(), "20000".to_owned());
    let mut feed = Feed::new(&target, None).unwrap();
    let mut generator = fixture.generator(2_000);
    let run = feed.run(&mut generator, Phase::Orders, Pace::UNLIMITED, &AtomicBool::new(false));
    assert!(matches!(run, Err(LoadError::Producer { during: "send", .. })), "{run:?}");
}

/// Writes 500 orders.
fn run_refused(fixture: &Fixture, feed: &mut Feed) -> Result<(), LoadError> {
    let mut generator = fixture.generator(500);
    feed.run(&mut generator, Phase::Orders, Pace::UNLIMITED, &AtomicBool::new(false))
}

/// A feed of transactions, the second of each two aborted first, into a topic that takes no batch above 400 bytes.
fn feed_refused(fixture: &Fixture) -> Feed {
    fixture.set_batch_bytes_max("400");
    Feed::new(&fixture.target, Some(Transactions { records: 100, abort_every: 2 })).unwrap()
}

#[test]
fn a_transaction_that_stays_refused_fails_the_run_and_says_why() {
    let fixture = Fixture::new("stays-refused");
    let run = run_refused(&fixture, &mut feed_refused(&fixture));
    let Err(LoadError::Transaction { rewrites: 5, first }) = &run else { panic!("{run:?}") };
    assert!(first.contains("MessageSizeTooLarge"), "{first}");
}

#[test]
fn a_transaction_that_is_refused_for_a_while_is_written_again() {
    let fixture = Fixture::new("refused-a-while");
    let mut feed = feed_refused(&fixture);
    let meter = feed.meter();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_refused(&fixture, &mut feed));
        std::thread::sleep(Duration::from_millis(1500));
        assert_ne!(meter.failures().1, "", "void: nothing was refused");
        fixture.set_batch_bytes_max("1048588");
        run.join().unwrap().unwrap();
    });
    let mut again = fixture.generator(500);
    let records: Vec<_> = std::iter::from_fn(|| again.next_order(1_763_629_954_123)).collect();
    for (topic, stream) in
        [(&fixture.target.orders, Stream::Orders), (&fixture.target.commands, Stream::Commands)]
    {
        let read = fixture.read(topic, "read_committed");
        assert_eq!(shape(&read), expected(&records, stream), "each record is visible once, in its order");
    }
}

#[test]
fn a_missing_topic_is_named_with_its_cure() {
    let fixture = Fixture::new("missing");
    let target = Target { orders: "load-nowhere".to_owned(), ..fixture.target.clone() };
    let told = target.partitions().unwrap_err().to_string();
    assert!(told.contains("load-nowhere") && told.contains("topics init --execute"), "{told}");
}

#[test]
fn a_stopped_run_says_so() {
    let fixture = Fixture::new("stopped");
    let mut feed = Feed::new(&fixture.target, None).unwrap();
    let mut generator = fixture.generator(2_000);
    let run = feed.run(&mut generator, Phase::Orders, Pace::per_second(10), &AtomicBool::new(true));
    assert!(matches!(run, Err(LoadError::Stopped { .. })), "{run:?}");
}
