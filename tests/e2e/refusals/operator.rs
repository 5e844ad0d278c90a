//! What a person with the tools of Kafka does to topics and offsets behind the application's back.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::{
    ApiKey, GroupId, OffsetDeleteRequest, OffsetDeleteResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, FromClientConfig};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::TASKS;
use crate::support::kafka::{Row, append};
use crate::support::{World, wait_until};

const WAIT: Duration = Duration::from_secs(30);

/// Offset and metadata by topic and partition.
pub(super) type Committed = BTreeMap<(String, i32), (i64, String)>;

fn client<T: FromClientConfig>(world: &World) -> T {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &world.brokers).set("group.id", &world.app);
    config.create().unwrap_or_else(|error| panic!("client: {error}"))
}

fn admin(world: &World) -> AdminClient<DefaultClientContext> {
    client(world)
}

fn wait<T>(what: &str, future: impl Future<Output = KafkaResult<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("runtime: {error}"));
    runtime.block_on(future).unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn partitions(world: &World, topic: &str) -> usize {
    let metadata = client::<BaseConsumer>(world).fetch_metadata(Some(topic), WAIT);
    let metadata = metadata.unwrap_or_else(|error| panic!("{topic}: {error}"));
    let found = metadata.topics().iter().find(|found| found.error().is_none());
    found.map_or(0, |found| found.partitions().len())
}

/// Deletes a topic and waits until it is gone.
pub(super) fn delete(world: &World, topic: &str) {
    for result in wait(topic, admin(world).delete_topics(&[topic], &AdminOptions::new())) {
        result.unwrap_or_else(|(_, code)| panic!("{topic}: {code}"));
    }
    wait_until("the topic is gone", WAIT, || partitions(world, topic) == 0);
}

/// Deletes a topic, creates it again and writes `rows` to it.
pub(super) fn recreate(world: &World, topic: &str, settings: &[(&str, &str)], rows: &[Row]) {
    delete(world, topic);
    let count = i32::try_from(TASKS).unwrap_or(1);
    let new = NewTopic::new(topic, count, TopicReplication::Fixed(1));
    let new = settings.iter().fold(new, |new, (key, value)| new.set(key, value));
    for result in wait(topic, admin(world).create_topics([&new], &AdminOptions::new())) {
        result.unwrap_or_else(|(_, code)| panic!("{topic}: {code}"));
    }
    wait_until("the topic is there", WAIT, || partitions(world, topic) == TASKS as usize);
    if !rows.is_empty() {
        append(world, topic, rows);
    }
}

/// Adds partitions to a topic until it has `count`.
pub(super) fn grow(world: &World, topic: &str, count: usize) {
    let wanted = NewPartitions::new(topic, count);
    for result in wait(topic, admin(world).create_partitions([&wanted], &AdminOptions::new())) {
        result.unwrap_or_else(|(_, code)| panic!("{topic}: {code}"));
    }
    wait_until("the partitions are there", WAIT, || partitions(world, topic) == count);
}

/// First offset and end of every partition of the application's topics.
pub(super) fn ends(world: &World) -> BTreeMap<String, Vec<(i64, i64)>> {
    let consumer: BaseConsumer = client(world);
    let of = |topic: String| {
        let count = i32::try_from(partitions(world, &topic)).unwrap_or(0);
        let ends = |partition| {
            let found = consumer.fetch_watermarks(&topic, partition, WAIT);
            found.unwrap_or_else(|error| panic!("{topic}-{partition}: {error}"))
        };
        let all = (0..count).map(ends).collect();
        (topic, all)
    };
    super::topics(world).into_iter().map(of).collect()
}

/// Returns the group's committed offsets of the inputs; those that there are.
pub(super) fn committed(world: &World) -> Committed {
    let mut list = TopicPartitionList::new();
    for topic in super::inputs(world) {
        for partition in 0..i32::try_from(TASKS).unwrap_or(0) {
            list.add_partition(&topic, partition);
        }
    }
    let found = client::<BaseConsumer>(world).committed_offsets(list, WAIT);
    let found = found.unwrap_or_else(|error| panic!("committed offsets: {error}"));
    let elements = found.elements();
    let one = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let Offset::Offset(offset) = element.offset() else { return None };
        Some(((element.topic().to_owned(), element.partition()), (offset, element.metadata().to_owned())))
    };
    elements.iter().filter_map(one).collect()
}

/// Waits until nobody is in the group: Kafka takes no offsets from outside before.
pub(super) fn wait_empty(world: &World) {
    let consumer: BaseConsumer = client(world);
    wait_until("the group is empty", WAIT, || {
        let list = consumer.fetch_group_list(Some(&world.app), WAIT);
        let list = list.unwrap_or_else(|error| panic!("groups: {error}"));
        list.groups().iter().all(|group| group.members().is_empty())
    });
}

/// Commits an offset as a plain consumer of the group does.
pub(super) fn commit(world: &World, topic: &str, partition: i32, offset: i64) {
    wait_empty(world);
    let mut list = TopicPartitionList::new();
    let added = list.add_partition_offset(topic, partition, Offset::Offset(offset));
    added.unwrap_or_else(|error| panic!("{topic}-{partition}: {error}"));
    let done = client::<BaseConsumer>(world).commit(&list, CommitMode::Sync);
    done.unwrap_or_else(|error| panic!("{topic}-{partition}: {error}"));
}

/// Commits an offset in a transaction without naming a member: the one way that Kafka takes it while the group has members.
pub(super) fn commit_unfenced(world: &World, topic: &str, partition: i32, offset: i64) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &world.brokers).set("transactional.id", format!("{topic}-operator"));
    let producer: BaseProducer = config.create().unwrap_or_else(|error| panic!("producer: {error}"));
    let check = |result: KafkaResult<()>| result.unwrap_or_else(|error| panic!("{topic}: {error}"));
    let mut list = TopicPartitionList::new();
    check(list.add_partition_offset(topic, partition, Offset::Offset(offset)));
    let consumer: BaseConsumer = client(world);
    let group = consumer.group_metadata().unwrap_or_else(|| panic!("no group metadata"));
    check(producer.init_transactions(WAIT));
    check(producer.begin_transaction());
    check(producer.send_offsets_to_transaction(&list, &group, WAIT));
    check(producer.commit_transaction(WAIT));
}

/// Deletes every offset of the group.
pub(super) fn delete_offsets(world: &World) {
    wait_empty(world);
    for result in wait("groups", admin(world).delete_groups(&[&world.app], &AdminOptions::new())) {
        result.unwrap_or_else(|(group, code)| panic!("{group}: {code}"));
    }
}

/// Deletes the group's offset of one partition.
pub(super) fn delete_offset(world: &World, topic: &str, partition: i32) {
    wait_empty(world);
    let partitions = vec![OffsetDeleteRequestPartition::default().with_partition_index(partition)];
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partitions(partitions);
    let request = OffsetDeleteRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(world.app.clone())))
        .with_topics(vec![topic]);
    let answer = offset_delete(world, &request).unwrap_or_else(|error| panic!("OffsetDelete: {error}"));
    let codes: Vec<i16> =
        answer.topics.iter().flat_map(|topic| topic.partitions.iter().map(|part| part.error_code)).collect();
    assert_eq!((answer.error_code, codes), (0, vec![0]), "OffsetDelete");
}

/// Asks the one broker of the tests.
fn offset_delete(
    world: &World,
    request: &OffsetDeleteRequest,
) -> Result<OffsetDeleteResponse, Box<dyn std::error::Error>> {
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::OffsetDelete as i16)
        .with_request_api_version(0)
        .with_correlation_id(1)
        .with_client_id(Some(StrBytes::from_static_str("operator")));
    let mut body = bytes::BytesMut::new();
    header.encode(&mut body, 1)?;
    request.encode(&mut body, 0)?;
    let mut stream = TcpStream::connect(&world.brokers)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.write_all(&u32::try_from(body.len())?.to_be_bytes())?;
    stream.write_all(&body)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(size))?];
    stream.read_exact(&mut answer)?;
    let mut answer = bytes::Bytes::from(answer);
    ResponseHeader::decode(&mut answer, 0)?;
    Ok(OffsetDeleteResponse::decode(&mut answer, 0)?)
}

/// Runs the command of Kafka's own tools that a message names: `kafka-consumer-groups.sh --bootstrap-server ...`.
pub(super) fn run_named_command(message: &str) -> String {
    let command = message.split("kafka-consumer-groups.sh ").nth(1).unwrap_or_else(|| panic!("{message}"));
    let (arguments, _) = command.split_once("--execute").unwrap_or_else(|| panic!("{message}"));
    let set = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `./dev test` sets it"))
    };
    let jars = Path::new(&set("MILLPOND_KAFKA_LIB")).join("*");
    let mut java = Command::new(set("MILLPOND_JAVA"));
    java.args(["-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp"]).arg(jars);
    java.arg("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand");
    java.args(arguments.split_whitespace()).arg("--execute");
    let output = java.output().unwrap_or_else(|error| panic!("java: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    said
}
