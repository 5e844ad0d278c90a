//! How soon a process works after its start.

use std::time::Duration;

use crate::support::{Node, World, keep_figure};

const STARTS: usize = 6;
const THREADS: usize = 2;
/// Below librdkafka's timer of 500 ms for a producer that finds no broker connected; a start without it takes some 55 ms.
const FAST_MS: u64 = 400;
/// How many may be slow: a busy machine is no defect. Without the second question a quarter to all of them are.
const SLOW_MAX: usize = 1;

/// Returns how long each producer took to start, by the log.
fn starts_ms(log: &str) -> Vec<u64> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let starts = lines.filter(|line| line["message"] == "producer runs");
    starts.map(|line| line["ms"].as_u64().unwrap_or_else(|| panic!("no duration: {line}"))).collect()
}

#[test]
fn producers_start_without_waiting_for_a_timer() {
    let world = World::new("starts");
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let mut node = Node::start(&world, "one", &[("MILLPOND_THREADS", &THREADS.to_string())]);
        node.wait_ready(Duration::from_secs(30));
        assert_eq!(node.stop().code(), Some(0), "{}", node.log());
        took.extend(starts_ms(&node.log()));
    }
    took.sort_unstable();
    assert!(took.len() >= STARTS * THREADS, "only {} producers started", took.len());
    let median = took[took.len() / 2];
    let slow = took.iter().filter(|ms| **ms > FAST_MS).count();
    keep_figure("producer-start", &format!("{median} ms in the median of {} starts: {took:?}", took.len()));
    assert!(slow <= SLOW_MAX, "{slow} producers took longer than {FAST_MS} ms: {took:?}");
}
