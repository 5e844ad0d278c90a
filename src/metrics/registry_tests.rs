//! What Prometheus reads.

use std::time::Duration;

use millpond_membership::Role;

use super::*;
use crate::metrics::{
    Dropped, InstanceState, RecycleReason, SourceSample, Spent, StoreSample, TaskCount, TaskPhase,
    TransactionOutcome,
};

fn metrics() -> Metrics {
    let about = About {
        app: "ledger-accounts".to_owned(),
        version: "0.1.0".to_owned(),
        topology: "abc".to_owned(),
        topics: vec!["order.events".to_owned()],
        dead_letter_reasons: vec!["NOT_JSON", "ARITHMETIC"],
        debit_outcomes: vec!["debited", "INSUFFICIENT_BALANCE"],
    };
    Metrics::new(&about).unwrap()
}

/// Returns the lines that are samples, without the buckets.
fn samples(metrics: &Metrics) -> Vec<String> {
    let text = render(metrics.registry()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket"));
    lines.map(str::to_owned).collect()
}

#[test]
fn what_is_known_to_exist_begins_at_zero() {
    insta::assert_snapshot!(samples(&metrics()).join("\n"));
}

#[test]
fn each_handle_moves_its_series() {
    let metrics = metrics();
    let partition = metrics.partition("order.events", 3);
    partition.set(&SourceSample {
        position: 9,
        committed: 8,
        last_stable: 12,
        high_watermark: 13,
        log_start: 1,
    });
    partition.set_lag_seconds(1.5);
    partition.set_last_record(1_500);
    metrics.topic("order.events", Direction::Consumed).add(10, 1_000);
    metrics.topic("account.events", Direction::Produced).add(20, 2_000);
    let thread = metrics.thread(1);
    thread.spend(Spent::Blocked, Duration::from_millis(250));
    thread.dropped(Dropped::Ignored, 2);
    thread.duplicates(3);
    thread.batch(100, Duration::from_millis(4));
    thread.processed(10_000, 8_000);
    thread.committed(10_000, 11_000);
    thread.publish();
    metrics.transactions().ended(TransactionOutcome::Aborted);
    metrics.transactions().recycled(RecycleReason::Stuck);
    metrics.transactions().commit_took(Duration::from_millis(2));
    metrics.restore("accounts", 0).advance(5, 50, 5);
    metrics.rocksdb("accounts", 0).set(&StoreSample { sst_bytes: 77, ..StoreSample::default() });
    metrics.rocksdb_cache(1, 2);
    metrics.dead_letters().add("order.events", "NOT_JSON", 4);
    assert_eq!(metrics.dead_letters().total(), 4);
    metrics.ledger().debits("debited").unwrap().inc();
    assert!(metrics.ledger().debits("no such outcome").is_none());
    let running = TaskCount { role: Role::Processor, phase: TaskPhase::Running, tasks: 4 };
    metrics.lifecycle().tasks_are(&[running]);
    metrics.lifecycle().state_is(InstanceState::Running);
    metrics.lifecycle().rebalanced(7, Duration::from_millis(30));
    let moved: Vec<_> = samples(&metrics).into_iter().filter(|line| !line.ends_with(" 0")).collect();
    insta::assert_snapshot!(moved.join("\n"));
}

#[test]
fn unknown_offsets_leave_the_last_known_ones() {
    let metrics = metrics();
    let partition = metrics.partition("order.events", 0);
    let known = SourceSample { position: 9, committed: 8, last_stable: 12, high_watermark: 13, log_start: 1 };
    partition.set(&known);
    let before = samples(&metrics);
    partition.set(&SourceSample {
        position: -1,
        committed: -1,
        last_stable: -1,
        high_watermark: -1,
        log_start: -1,
    });
    assert_eq!(samples(&metrics), before);
}

#[test]
fn revoked_partitions_leave_no_series() {
    let metrics = metrics();
    let before = samples(&metrics);
    let partition = metrics.partition("order.events", 3);
    let (restore, store) = (metrics.restore("accounts", 3), metrics.rocksdb("accounts", 3));
    assert!(samples(&metrics).len() >= before.len() + 8 + 4 + 7);
    partition.remove();
    restore.remove();
    store.remove();
    assert_eq!(samples(&metrics), before);
}

#[test]
fn latency_is_published_once_and_never_negative() {
    let metrics = metrics();
    let thread = metrics.thread(0);
    thread.processed(1_000, 5_000);
    let count = |line: &str| samples(&metrics).contains(&line.to_owned());
    assert!(count("millpond_record_e2e_latency_seconds_count{stage=\"process\"} 0"));
    thread.publish();
    thread.publish();
    assert!(count("millpond_record_e2e_latency_seconds_count{stage=\"process\"} 1"));
    assert!(count("millpond_record_e2e_latency_seconds_sum{stage=\"process\"} 0"));
}
