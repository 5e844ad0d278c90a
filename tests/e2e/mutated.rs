//! Good records and records with something changed at random, half and half, through the real process: what is still good is
//! processed, the rest are dead letters with the code that the oracle finds, nothing is lost, and memory stays bounded.
//!
//! `MILLPOND_TEST_MUTATED=1000000` asks for more records than the suite has time for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Node, World, keep_figure, wait_drained};

/// Records of the order stream unless told otherwise; every second one is mutated.
const RECORDS: u64 = 100_000;
/// Codes that a change of one record by itself can have.
const CODES: [&str; 13] = [
    "AMOUNT_OUT_OF_RANGE",
    "BAD_FIELD",
    "DUPLICATE_FIELD",
    "INVALID_TIMESTAMP",
    "KEY_MISMATCH",
    "MISSING_FIELD",
    "MISSING_KEY",
    "NOT_AN_OBJECT",
    "NOT_JSON",
    "NULL_VALUE",
    "TOO_LARGE",
    "UNKNOWN_EVENT_TYPE",
    "WRONG_PARTITION",
];
/// Memory that the run may take, whatever the number of records. The state is small; what remains are the fetch queues
/// (64 MiB by default), the memory budget and the records of open transactions.
const MEMORY_MB_MAX: u64 = 700;

/// Returns the figures of the load's summary, by what they count.
fn written(summary: &str) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for part in summary.split([',', ':']) {
        let Some((number, what)) = part.trim().split_once(' ') else { continue };
        if let Ok(number) = number.parse() {
            counts.insert(what, number);
        }
    }
    counts
}

/// Returns the number before a word.
fn number_before(text: &str, word: &str) -> u64 {
    let (before, _) = text.split_once(word).unwrap_or_else(|| panic!("no `{word}` in {text}"));
    let number = before.split_whitespace().last().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number before `{word}` in {text}"))
}

#[test]
fn mutated_records_among_good_ones_end_as_the_oracle_says() {
    let records =
        std::env::var("MILLPOND_TEST_MUTATED").ok().and_then(|text| text.parse().ok()).unwrap_or(RECORDS);
    let seed = std::env::var("MILLPOND_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5eed);
    eprintln!("seed {seed}; repeat with MILLPOND_TEST_SEED={seed}");
    let world = World::new("mutated");
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(60));
    let begun = Instant::now();
    let (orders, seed) = (records.to_string(), seed.to_string());
    let mix =
        ["--bad", "0", "--mutated", "0.5", "--others", "0.02", "--duplicates", "0.01", "--short", "0.01"];
    let load = ["--users", "5000", "--rate", "0", "--orders", &orders, "--seed", &seed];
    let summary = world.ok(&[&["load"], &load[..], &mix[..]].concat());
    wait_drained(&world, Duration::from_secs(120 + records / 1_000));
    let took = begun.elapsed();

    let peak_mb = node.memory_peak_mb();
    let codes = node.metric_by("millpond_dlq_records_total", "reason");
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    assert!(!node.log().contains("panicked"), "{}", node.log());
    assert!(peak_mb <= MEMORY_MB_MAX, "{peak_mb} MB for {records} records");

    // Of the records with the oracle's verdict, every one is good or a dead letter; of the dead letters of the topic, each is
    // in PostgreSQL and was counted once.
    let counts = written(&summary);
    let mutated =
        counts.get("mutated order event").unwrap_or(&0) + counts.get("mutated command").unwrap_or(&0);
    let all =
        number_before(&summary, " records on order.events") + number_before(&summary, " on account.commands");
    let (bad, read) = judged(&world);
    assert_eq!(read, all, "{summary}");
    let stored = world.sql("SELECT code || ' ' || count(*) FROM dead_letters GROUP BY code");
    let stored: BTreeMap<String, u64> = stored
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(code, n)| (code.into(), n.parse().unwrap_or(0)))
        .collect();
    let counted: BTreeMap<String, u64> = codes.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, stored);
    assert_eq!(stored.values().sum::<u64>(), bad);
    let never: Vec<_> = CODES.iter().filter(|code| !stored.contains_key(**code)).collect();
    assert!(never.is_empty(), "no record became {never:?}: the run is void");
    assert!(
        (records * 9 / 20..=records * 11 / 20).contains(&mutated),
        "{mutated} of {records} are mutated: the run is void"
    );
    // Nothing but mutated records can be bad.
    assert!(
        bad < mutated && bad > mutated / 2,
        "{bad} of {mutated} mutated records are bad: the run is void"
    );
    let line = format!(
        "{all} records, {mutated} of them mutated, {bad} dead letters of {} codes, {} still good; {:.0} records/s, {peak_mb} MB",
        stored.len(),
        mutated - bad,
        all as f64 / took.as_secs_f64()
    );
    keep_figure("mutated", &line);
}

/// Lets the oracle judge, which must find nothing, and returns how many records it found bad and how many it read.
fn judged(world: &World) -> (u64, u64) {
    let output = world.command("one", &["verify", "--output", "json"]).output();
    let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let checks = report["checks"].as_array().into_iter().flatten();
    let figure =
        checks.filter(|check| check["id"] == "dead-letters").find_map(|check| check["figure"].as_str());
    let figure = figure.unwrap_or_else(|| panic!("no figure in {text}"));
    (number_before(figure, " bad of"), number_before(figure, " records"))
}
