//! Records that Kafka refuses: the search finds exactly the inputs that cause them, and nothing else is touched.

use std::time::Duration;

use crate::support::kafka::{Row, append, append_zipped, configure, read};
use crate::support::{Node, Random, Verdict, World, committed_offset, group_lag, wait_drained, wait_until};

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
    wait_drained(&world, Duration::from_secs(90));
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
    wait_drained(&world, Duration::from_secs(60));
    for partition in 0..4 {
        let user = (1..=40).find(|user| partition_of(*user) == partition).unwrap_or(1);
        let id = |n: u64| 2_000 + u64::from(partition.unsigned_abs()) * 100 + n;
        let mut rows: Vec<Row> = (0..9).map(|n| order(user, id(n))).collect();
        rows[6].timestamp_ms = Some(now_ms() + 48 * 3_600_000);
        append(&world, &orders, &rows);
        let limit = Duration::from_secs(20);
        wait_until(&format!("task 0_{partition} gets past it"), limit, || group_lag(&world) == 0);
    }
    wait_drained(&world, Duration::from_secs(30));
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
    wait_drained(&world, Duration::from_secs(90));
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
    assert!(log.contains(&format!("{}: Kafka refuses", place[0])), "{place:?} is not named:\n{log}");
    assert_eq!(letters(&world).iter().filter(|(at, ..)| *at == place[0]).count(), 0);
    assert!(group_lag(&world) > 0, "something past the record is committed");
    let offset: i64 = place[0].rsplit_once('@').and_then(|(_, at)| at.parse().ok()).unwrap_or(-1);
    let committed = committed_offset(&world, &orders, partition_of(5));
    assert!(committed <= offset, "committed {committed}, past the refused record at {offset}");
    configure(&world, &world.topic("deadletter.events"), &ROOMY);
    let mut again = Node::start(&world, "one", &[]);
    again.wait_ready(Duration::from_secs(30));
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(again.stop().code(), Some(0), "{}", again.log());
    assert_eq!(letters(&world).iter().filter(|(at, ..)| *at == place[0]).count(), 1);
    let verdict = Verdict::of(&world, "one");
    assert_eq!(verdict.failed(), ["dead-letters", "outcomes"], "{}", verdict.text);
}

/// Bytes of key, value and headers that the inputs take in one record, as brokers are by default.
const LARGEST: usize = 1_048_000;

/// Returns printable bytes without repetition.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = Random(seed);
    (0..bytes).map(|_| u8::try_from(random.between(0x21, 0x7e)).unwrap_or(0x21)).collect()
}

/// Bad records as large as the topic takes: what fills them, and the code that they must get.
fn largest() -> Vec<(Row, &'static str)> {
    let of = |key: Vec<u8>, value: Option<Vec<u8>>, headers: Vec<(String, Vec<u8>)>| {
        let partition = i32::try_from(millpond_topology::partition_for(&key, TASKS)).unwrap_or(0);
        Row { partition, key, value, headers, ..Row::default() }
    };
    let short = Some(b"no JSON".to_vec());
    let one = |bytes: usize| vec![("large".to_owned(), noise(4, bytes))];
    let many = (0..15_000).map(|at| (format!("many-{at:05}"), noise(at, 55))).collect();
    vec![
        (of(b"7".to_vec(), Some(noise(1, LARGEST)), Vec::new()), "TOO_LARGE"),
        (of(b"7".to_vec(), Some(noise(2, 600_000)), one(LARGEST - 600_000)), "TOO_LARGE"),
        (of(noise(3, LARGEST), short.clone(), Vec::new()), "NOT_JSON"),
        (of(b"7".to_vec(), None, one(LARGEST)), "NULL_VALUE"),
        (of(b"7".to_vec(), short, many), "NOT_JSON"),
    ]
}

#[test]
fn a_bad_record_as_large_as_its_topic_takes_becomes_a_dead_letter_whatever_fills_it() {
    let world = World::with("largest", &[ONE_THREAD]);
    let orders = world.topic("order.events");
    world.load(&["--users", "40", "--orders", "400", "--rate", "0", "--bad", "0", "--seed", "38"]);
    let (rows, mut codes): (Vec<Row>, Vec<&str>) = largest().into_iter().unzip();
    rows.iter().for_each(|row| append(&world, &orders, std::slice::from_ref(row)));
    world.load(&[
        "--users",
        "40",
        "--orders",
        "400",
        "--rate",
        "0",
        "--bad",
        "0",
        "--skip-funding",
        "--seed",
        "39",
    ]);
    let size = |row: &Row| row.key.len() + row.value.as_ref().map_or(0, Vec::len) + headers_of(row);
    let found = places(&world, &orders, |row| size(row) > 900_000);
    assert_eq!(found.len(), codes.len(), "not all of them are there: nothing is proven");

    // With the client's own limit, below what the topic takes, the dead letter of one of them cannot be written.
    let limit = [("MILLPOND_KAFKA__PRODUCER__MESSAGE_MAX_BYTES", "1000000")];
    let mut refused = Node::start(&world, "one", &limit);
    assert_eq!(refused.wait_end(Duration::from_secs(60)).code(), Some(1), "{}", refused.log());
    let log = refused.log();
    assert!(found.iter().any(|place| log.contains(&format!("{place}: Kafka refuses"))), "no place:\n{log}");
    assert!(log.contains("message.max.bytes"), "no cure:\n{log}");

    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(60));
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    let mut given: Vec<_> = letters(&world).into_iter().map(|(place, code, _)| (place, code)).collect();
    given.sort();
    assert_eq!(given.iter().map(|(place, _)| place.clone()).collect::<Vec<_>>(), found);
    let mut given: Vec<_> = given.iter().map(|(_, code)| code.as_str()).collect();
    given.sort_unstable();
    codes.sort_unstable();
    assert_eq!(given, codes);
    Verdict::of(&world, "one").assert_clean();
}

fn headers_of(row: &Row) -> usize {
    row.headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Bytes of a value that compresses to next to nothing.
const BOMB_BYTES: usize = 48 << 20;
/// Memory that a process may take with such values in it: a bomb per partition in the queue and once more unpacked, and what
/// every process takes.
const MEMORY_MB_MAX: u64 = 700;

#[test]
fn values_that_are_small_in_the_log_and_large_in_memory_become_dead_letters() {
    let world = World::with("bombs", &[ONE_THREAD]);
    let orders = world.topic("order.events");
    world.load(&["--users", "40", "--orders", "400", "--rate", "0", "--bad", "0", "--seed", "40"]);
    for user in 1..=8 {
        append_zipped(&world, &orders, &Row { value: Some(vec![b' '; BOMB_BYTES]), ..order(user, 5_000) });
    }
    world.load(&[
        "--users",
        "40",
        "--orders",
        "400",
        "--rate",
        "0",
        "--bad",
        "0",
        "--skip-funding",
        "--seed",
        "41",
    ]);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(60));
    wait_drained(&world, Duration::from_secs(60));
    let peak_mb = node.memory_peak_mb();
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert!(peak_mb <= MEMORY_MB_MAX, "{peak_mb} MB");
    let given = letters(&world);
    assert_eq!(given.iter().map(|(_, code, _)| code.as_str()).collect::<Vec<_>>(), ["TOO_LARGE"; 8]);
    eprintln!("8 values of {} MB each: {peak_mb} MB at most", BOMB_BYTES >> 20);
    Verdict::of(&world, "one").assert_clean();
}
