//! The proxy against a real broker: transparent without rules, and each fault seen to act.

use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::proxy::{Fault, Match, Proxy};
use crate::support::{Ends, World};

const WAIT: Duration = Duration::from_secs(20);

struct Bench {
    world: World,
    proxy: Proxy,
    topic: String,
}

impl Bench {
    fn new() -> Self {
        let world = World::new("proxy");
        let proxy = Proxy::start(&world.brokers);
        let topic = world.topic("order.events");
        Self { world, proxy, topic }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.proxy.brokers());
        config
    }

    fn producer(&self, more: &[(&str, &str)]) -> BaseProducer {
        let mut config = self.config();
        config.set("linger.ms", "0").set("enable.idempotence", "true").set("socket.timeout.ms", "2000");
        for (key, value) in more {
            config.set(*key, *value);
        }
        config.create().unwrap()
    }

    fn send(&self, producer: &BaseProducer, text: &str) {
        let record = BaseRecord::to(&self.topic).partition(0).key("k").payload(text);
        producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
    }

    /// Reads partition 0 from its start, past the proxy or through it.
    fn read(&self, brokers: &str) -> Vec<String> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("group.id", "reader")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let mut found = Vec::new();
        loop {
            match consumer.poll(WAIT) {
                Some(Ok(message)) => {
                    found.push(String::from_utf8_lossy(message.payload().unwrap()).into_owned());
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return found,
                other => panic!("{other:?}"),
            }
        }
    }

    fn end(&self) -> i64 {
        Ends::of(&self.world, &self.topic).high_watermark[0]
    }
}

#[test]
fn without_rules_everything_passes_and_clients_stay_on_the_proxy() {
    let bench = Bench::new();
    let producer = bench.producer(&[("transactional.id", &bench.topic)]);
    producer.init_transactions(WAIT).unwrap();
    producer.begin_transaction().unwrap();
    for number in 0..1000 {
        bench.send(&producer, &number.to_string());
    }
    producer.commit_transaction(WAIT).unwrap();
    let wanted: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(bench.read(&bench.proxy.brokers()), wanted);
    // Bootstrap, broker and coordinator of the producer, bootstrap and broker of the consumer: all of them.
    assert!(bench.proxy.connections() >= 4, "{} connections came by the proxy", bench.proxy.connections());
    let metadata = producer.client().fetch_metadata(Some(&bench.topic), WAIT).unwrap();
    let here = |broker: &rdkafka::metadata::MetadataBroker| broker.host() == "127.0.0.1";
    assert!(metadata.brokers().iter().all(here));
    let real = bench.world.brokers.rsplit_once(':').unwrap().1.parse::<i32>().unwrap();
    assert!(metadata.brokers().iter().all(|broker| broker.port() != real), "the real address got through");
}

#[test]
fn a_swallowed_request_never_arrives_and_its_connection_lives() {
    let bench = Bench::new();
    let rule = bench.proxy.rule("swallow", Match::requests(&[ApiKey::Produce]).times(1), Fault::Swallow);
    let producer = bench.producer(&[]);
    bench.send(&producer, "first");
    rule.wait_hits(1, WAIT);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(bench.end(), 0);
    // The client's own timeout repeats it.
    producer.flush(WAIT).unwrap();
    assert_eq!(bench.read(&bench.world.brokers), ["first"]);
}

#[test]
fn a_swallowed_reply_is_a_request_that_arrived() {
    let bench = Bench::new();
    let rule = bench.proxy.rule("swallow", Match::replies(&[ApiKey::Produce]).times(1), Fault::Swallow);
    let producer = bench.producer(&[]);
    bench.send(&producer, "first");
    rule.wait_hits(1, WAIT);
    assert_eq!(bench.end(), 1);
    producer.flush(WAIT).unwrap();
    // The repetition has the sequence number of the first.
    assert_eq!(bench.read(&bench.world.brokers), ["first"]);
}

#[test]
fn a_duplicate_arrives_twice_and_is_answered_once() {
    let bench = Bench::new();
    let wanted = Match::requests(&[ApiKey::Produce]);
    let rule = bench.proxy.rule("duplicate", wanted, Fault::Duplicate);
    // Without sequence numbers the broker takes both.
    let producer = bench.producer(&[("enable.idempotence", "false")]);
    for text in ["one", "two"] {
        bench.send(&producer, text);
        producer.flush(WAIT).unwrap();
    }
    assert_eq!(rule.hits(), 2);
    assert_eq!(bench.read(&bench.world.brokers), ["one", "one", "two", "two"]);
}

#[test]
fn what_is_held_waits_for_its_release_and_what_is_delayed_for_its_time() {
    let bench = Bench::new();
    let held = bench.proxy.rule("hold", Match::requests(&[ApiKey::Produce]).times(1), Fault::Hold);
    let late = Match::requests(&[ApiKey::Produce]).times(1);
    let late = bench.proxy.rule("delay", late, Fault::Delay(Duration::from_millis(400)));
    let producer = bench.producer(&[]);
    bench.send(&producer, "held");
    held.wait_hits(1, WAIT);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(bench.end(), 0);
    held.release();
    producer.flush(WAIT).unwrap();
    let begun = Instant::now();
    bench.send(&producer, "delayed");
    producer.flush(WAIT).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(400));
    late.must_have_hit();
    assert_eq!(bench.read(&bench.world.brokers), ["held", "delayed"]);
}

#[test]
fn what_is_kept_arrives_when_it_is_sent_and_cuts_are_survived() {
    let bench = Bench::new();
    let wanted = Match::requests(&[ApiKey::Produce]).times(1);
    let kept = bench.proxy.rule("keep", wanted, Fault::KeepAndCut);
    let cut = bench.proxy.rule("cut", Match::replies(&[ApiKey::Produce]).times(1), Fault::Cut);
    let producer = bench.producer(&[("enable.idempotence", "false")]);
    bench.send(&producer, "text");
    producer.flush(WAIT).unwrap();
    kept.must_have_hit();
    cut.must_have_hit();
    // Once by the first repetition, whose reply was cut off, once by the second, and once late.
    let replies = kept.send_kept();
    assert!(replies.iter().all(Option::is_some) && replies.len() == 1);
    assert_eq!(bench.read(&bench.world.brokers), ["text", "text", "text"]);
}

#[test]
fn a_frozen_proxy_is_silent_and_a_thawed_one_delivers_what_waited() {
    let bench = Bench::new();
    let producer = bench.producer(&[("socket.timeout.ms", "20000")]);
    bench.send(&producer, "before");
    producer.flush(WAIT).unwrap();
    bench.proxy.freeze();
    bench.send(&producer, "after");
    assert!(producer.flush(Duration::from_millis(700)).is_err());
    assert_eq!(bench.end(), 1);
    let fresh = bench.producer(&[]);
    let answer = fresh.client().fetch_metadata(Some(&bench.topic), Duration::from_millis(700));
    assert!(answer.is_err(), "a new connection was answered");
    bench.proxy.thaw();
    producer.flush(WAIT).unwrap();
    bench.proxy.cut_all();
    bench.send(&producer, "last");
    producer.flush(WAIT).unwrap();
    assert_eq!(bench.read(&bench.world.brokers), ["before", "after", "last"]);
}

#[test]
fn rules_count_skip_and_stay_on_their_connection() {
    let bench = Bench::new();
    let some = Match::requests(&[ApiKey::Produce]).skip(1).every(2).times(2);
    let some = bench.proxy.rule("some", some, Fault::Delay(Duration::from_millis(1)));
    let one = Match::requests(&[ApiKey::Metadata]).one_connection();
    let one = bench.proxy.rule("one", one, Fault::Delay(Duration::from_millis(1)));
    let never = bench.proxy.rule("never", Match::requests(&[ApiKey::EndTxn]), Fault::Cut);
    let producer = bench.producer(&[]);
    for number in 0..8 {
        bench.send(&producer, &number.to_string());
        producer.flush(WAIT).unwrap();
    }
    assert_eq!(some.hits(), 2);
    let before = one.hits();
    assert!(before > 0);
    let other = bench.producer(&[]);
    other.client().fetch_metadata(Some(&bench.topic), WAIT).unwrap();
    assert_eq!(one.hits(), before, "it followed to another connection");
    let void = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| never.must_have_hit()));
    let text = void.unwrap_err().downcast::<String>().unwrap();
    assert!(text.starts_with("void"), "{text}");
}
