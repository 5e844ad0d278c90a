//! Records that Kafka refuses: the search finds exactly the inputs that cause them, and nothing else is touched.

use std::time::Duration;

use crate::support::kafka::{Row, append, configure, read};
use crate::support::{Node, Random, Verdict, World, group_lag, wait_drained, wait_until};

const TASKS: u32 = 4;
/// One thread for all tasks: the search has to find the task as well as the record.
const ONE_THREAD: (&str, &str) = ("MILLPOND_THREADS", "1");
/// The application accepts what is two days ahead; account.events does not.
const FAR_AHEAD: (&str, &str) = ("MILLPOND_TIMESTAMP__MAX_AHEAD", "100h");
/// What account.events takes: an hour ahead, as brokers do by themselves.
const AN_HOUR: [(&str, &str); 1] = [("message.timestamp.after.max.ms", "3600000")];
/// Takes batches of the producers, but no record that is larger than one.
const SMALL: [(&str, &str); 2] =
    [("max.message.bytes", "262144"), ("message.timestamp.after.max.ms", "9223372036854775807")];
/// Batches that a topic as small as `SMALL` takes.
const SMALL_BATCHES: (&str, &str) = ("MILLPOND_KAFKA__PRODUCER__BATCH_SIZE", "262144");
/// As `SMALL`, but roomy.
const ROOMY: [(&str, &str); 1] = [("message.timestamp.after.max.ms", "9223372036854775807")];

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

fn partition_of(user: u64) -> i32 {
    i32::try_from(millpond_topology::partition_for(user.to_string().as_bytes(), TASKS)).unwrap_or(0)
}

/// An order of 1 fen.
fn order(user: u64, id: u64) -> Row {
    let value = format!(
        r#"{{"eventType":"OrderCreated","eventId":"refused-{id}","occurredAt":"2026-01-01T00:00:00Z","payload":{{"orderId":{id},"orderNo":"N-{id}","userId":{user},"amountFen":1}}}}"#
    );
    let key = user.to_string().into_bytes();
    Row { partition: partition_of(user), key, value: Some(value.into_bytes()), ..Row::default() }
}

/// An order whose trace id, which travels along, makes its output larger than a small topic takes.
fn huge(user: u64, id: u64) -> Row {
    let mut random = Random(id);
    // Bytes without repetition: compression must not make it fit.
    let trace = (0..400_000).map(|_| u8::try_from(random.between(0x21, 0x7e)).unwrap_or(0x21)).collect();
    Row { headers: vec![("traceparent".to_owned(), trace)], ..order(user, id) }
}

/// Returns the place of a dead letter's input and its reason, sorted.
fn letters(world: &World) -> Vec<(String, String, String)> {
    let said = |row: &Row, name: &str| row.header(name).unwrap_or_default();
    let mut all: Vec<_> = read(world, &world.topic("deadletter.events"))
        .iter()
        .map(|row| {
            let place = format!(
                "{}-{}@{}",
                said(row, "__streams.errors.topic"),
                said(row, "__streams.errors.partition"),
                said(row, "__streams.errors.offset")
            );
            (place, said(row, "x-dlq-error-code"), said(row, "__streams.errors.message"))
        })
        .collect();
    all.sort();
    all
}

/// Returns the places of a topic's records that `is_meant` picks, sorted.
fn places(world: &World, topic: &str, is_meant: impl Fn(&Row) -> bool) -> Vec<String> {
    let rows = read(world, topic);
    let mut all: Vec<_> = rows
        .iter()
        .filter(|row| is_meant(row))
        .map(|row| format!("{topic}-{}@{}", row.partition, row.offset))
        .collect();
    all.sort();
    all
}

/// Returns the places of the inputs whose outputs Kafka refused, which all must have this reason.
fn refused_by_kafka(world: &World, reason: &str) -> Vec<String> {
    let all = letters(world).into_iter();
    let by_kafka = all.filter(|(_, _, message)| message.contains("Kafka refused"));
    by_kafka
        .map(|(place, code, _)| {
            assert_eq!(code, reason, "{place}");
            place
        })
        .collect()
}

#[test]
fn exactly_the_refused_timestamps_become_dead_letters_among_many_good_records() {
    let world = World::with("misdated", &[ONE_THREAD, FAR_AHEAD]);
    let (orders, accounts) = (world.topic("order.events"), world.topic("account.events"));
    configure(&world, &accounts, &AN_HOUR);
    // Everything is there before the first transaction, so that offenders stand in the midst of large ones.
    world.load(&["--users", "200", "--orders", "6000", "--rate", "0", "--bad", "0.02", "--seed", "31"]);
    let mut ahead: Vec<Row> = (0..5).map(|n| order(1 + 37 * n, 1_000 + n)).collect();
    ahead.iter_mut().for_each(|row| row.timestamp_ms = Some(now_ms() + 48 * 3_600_000));
    append(&world, &orders, &ahead);
    world.load(&["--users", "200", "--orders", "2000", "--rate", "0", "--skip-funding", "--seed", "32"]);
    let limit = now_ms() + 24 * 3_600_000;
    let refused = places(&world, &orders, |row| row.timestamp_ms.is_some_and(|at| at > limit));
    assert!(refused.len() >= 6, "only {} misdated orders: nothing is proven", refused.len());
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    wait_drained(&world, &node, Duration::from_secs(90));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert_eq!(refused_by_kafka(&world, "INVALID_TIMESTAMP"), refused);
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn a_refused_record_is_found_where_all_other_tasks_are_idle() {
    let world = World::with("lonely", &[ONE_THREAD, FAR_AHEAD]);
    let (orders, accounts) = (world.topic("order.events"), world.topic("account.events"));
    configure(&world, &accounts, &AN_HOUR);
    world.load(&["--users", "40", "--fund-only", "--seed", "33"]);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    wait_drained(&world, &node, Duration::from_secs(60));
    for partition in 0..4 {
        let user = (1..=40).find(|user| partition_of(*user) == partition).unwrap_or(1);
        let id = |n: u64| 2_000 + u64::from(partition.unsigned_abs()) * 100 + n;
        let mut rows: Vec<Row> = (0..9).map(|n| order(user, id(n))).collect();
        rows[6].timestamp_ms = Some(now_ms() + 48 * 3_600_000);
        append(&world, &orders, &rows);
        let limit = Duration::from_secs(20);
        wait_until(&format!("task 0_{partition} gets past it"), limit, || group_lag(&world) == 0);
    }
    wait_drained(&world, &node, Duration::from_secs(30));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert_eq!(letters(&world).len(), 4);
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn exactly_the_too_large_outputs_become_dead_letters() {
    let world = World::with("large", &[ONE_THREAD, SMALL_BATCHES]);
    let (orders, accounts) = (world.topic("order.events"), world.topic("account.events"));
    configure(&world, &accounts, &SMALL);
    world.load(&["--users", "200", "--orders", "3000", "--rate", "0", "--bad", "0.01", "--seed", "34"]);
    let rows: Vec<Row> = (0..6).map(|n| huge(1 + 31 * n, 3_000 + n)).collect();
    append(&world, &orders, &rows);
    world.load(&["--users", "200", "--orders", "1000", "--rate", "0", "--skip-funding", "--seed", "35"]);
    let refused = places(&world, &orders, |row| row.header("traceparent").is_some_and(|t| t.len() > 300_000));
    assert_eq!(refused.len(), 6);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    wait_drained(&world, &node, Duration::from_secs(90));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert_eq!(refused_by_kafka(&world, "TOO_LARGE"), refused);
    // The oracle cannot know what a broker refused: it misses the outcomes of these orders, and of no other.
    let verdict = Verdict::of(&world, "one");
    assert_eq!(verdict.failed(), ["dead-letters", "outcomes"], "{}", verdict.text);
    for found in verdict.differences.values() {
        let mut named: Vec<_> =
            found.iter().filter_map(|line| line.split_once(": ").map(|at| at.0.to_owned())).collect();
        named.sort();
        assert_eq!(named, refused, "{}", verdict.text);
    }
}

#[test]
fn a_refused_dead_letter_stops_the_process_before_it_until_the_topic_takes_it() {
    let world = World::with("stuck", &[ONE_THREAD, SMALL_BATCHES]);
    let orders = world.topic("order.events");
    configure(&world, &world.topic("account.events"), &SMALL);
    configure(&world, &world.topic("deadletter.events"), &SMALL);
    world.load(&["--users", "40", "--orders", "400", "--rate", "0", "--seed", "36"]);
    append(&world, &orders, &[huge(5, 4_000)]);
    let place = places(&world, &orders, |row| row.header("traceparent").is_some_and(|t| t.len() > 300_000));
    let mut node = Node::start(&world, "one", &[]);
    let status = node.wait_end(Duration::from_secs(60));
    assert_eq!(status.code(), Some(1), "{}", node.log());
    let log = node.log();
    assert!(log.contains("raise max.message.bytes"), "no cure:\n{log}");
    assert_eq!(letters(&world).iter().filter(|(at, ..)| *at == place[0]).count(), 0);
    assert!(group_lag(&world) > 0, "something past the record is committed");
    let offset: i64 = place[0].rsplit_once('@').and_then(|(_, at)| at.parse().ok()).unwrap_or(-1);
    let committed = crate::support::committed_offset(&world, &orders, partition_of(5));
    assert!(committed <= offset, "committed {committed}, past the refused record at {offset}");
    configure(&world, &world.topic("deadletter.events"), &ROOMY);
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    wait_drained(&world, &again, Duration::from_secs(60));
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    assert_eq!(letters(&world).iter().filter(|(at, ..)| *at == place[0]).count(), 1);
    let verdict = Verdict::of(&world, "one");
    assert_eq!(verdict.failed(), ["dead-letters", "outcomes"], "{}", verdict.text);
}
