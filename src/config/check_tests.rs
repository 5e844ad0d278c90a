//! Each rule broken once.

use super::*;
use crate::config::value::{Period, Size};

fn broken(change: impl FnOnce(&mut Config)) -> Vec<String> {
    let mut config = Config::default();
    change(&mut config);
    config.findings().into_iter().map(|finding| format!("{} {}", finding.key, finding.what)).collect()
}

#[test]
fn the_defaults_break_no_rule() {
    assert_eq!(broken(|_| ()), Vec::<String>::new());
    assert!(Config::default().check().is_ok());
}

#[test]
fn each_rule_finds_what_it_looks_for() {
    type Change = fn(&mut Config);
    let cases: [(&str, Change); 22] = [
        ("app.id", |c| c.app.id = "a b".to_owned()),
        ("app.id", |c| c.app.id = String::new()),
        ("instance.id", |c| c.instance.id = Some("x".repeat(129))),
        ("topics.orders.name", |c| c.topics.orders.name = "..".to_owned()),
        ("topics.deadletter.name", |c| c.topics.deadletter.name = "account.events".to_owned()),
        ("topics.accounts.partitions", |c| c.topics.accounts.partitions = 0),
        ("topics.commands.partitions", |c| c.topics.orders.partitions = 5),
        ("commit.interval", |c| c.commit.interval = Period::from_ms(0)),
        ("transaction.timeout", |c| c.commit.interval = Period::from_secs(10)),
        ("transaction.timeout", |c| c.transaction.timeout = Period::from_secs(901)),
        ("membership.heartbeat_interval", |c| c.membership.heartbeat_interval = Period::from_ms(2_001)),
        ("membership.session_timeout", |c| c.membership.session_timeout = Period::from_secs(1 << 32)),
        ("shutdown.timeout", |c| c.shutdown.timeout = Period::from_ms(100)),
        ("state.flush_interval", |c| c.state.flush_interval = Period::from_secs(3_601)),
        ("state.flush_rows", |c| c.state.flush_rows = 0),
        ("commit.rows", |c| c.commit.rows = 0),
        ("commit.bytes", |c| c.commit.bytes = Size::from_bytes(0)),
        ("sink.batch_rows", |c| c.sink.batch_rows = 0),
        ("state.memory_budget", |c| c.state.memory_budget = Size::from_mib(15)),
        ("fetch.queue_bytes", |c| c.fetch.queue_bytes = Size::from_bytes(1_000)),
        ("timestamp.max_ahead", |c| c.timestamp.max_ahead = Period::from_ms(0)),
        ("sink.postgres.url", |c| c.sink.postgres.url = Some(Secret::new("db"))),
    ];
    for (key, change) in cases {
        let found = broken(change);
        assert!(found.len() == 1 && found[0].starts_with(key), "{key}: {found:?}");
    }
}

#[test]
fn a_missing_database_names_the_ways_to_name_it() {
    let error = Config::default().postgres_url().unwrap_err().to_string();
    assert!(
        error.contains("MILLPOND_SINK__POSTGRES__URL_FILE") && error.contains("--roles processor"),
        "{error}"
    );
}
