//! Each difference once, with its cure.

use super::*;
use crate::app::App;
use crate::topics::wanted;

/// Returns the topic of this section and itself as it is when created as wanted.
fn created(config: &Config, section: &str) -> (Wanted, Found) {
    let topology = App::Accounts.topology(config).unwrap();
    let wanted = wanted(config, &topology).into_iter().find(|topic| topic.section == section).unwrap();
    let mut settings: BTreeMap<_, _> =
        wanted.settings().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    settings.entry("max.message.bytes".to_owned()).or_insert_with(|| "1048588".to_owned());
    settings.entry("min.insync.replicas".to_owned()).or_insert_with(|| "1".to_owned());
    let found = Found { partitions: wanted.partitions, replicas: 1, settings };
    (wanted, found)
}

fn differences(section: &str, change: impl FnOnce(&mut Config, &mut Found)) -> Vec<Difference> {
    let mut config = Config::default();
    let (_, mut found) = created(&config, section);
    change(&mut config, &mut found);
    let (wanted, _) = created(&config, section);
    compare(&wanted, &found, &config)
}

fn set(found: &mut Found, key: &str, value: &str) {
    found.settings.insert(key.to_owned(), value.to_owned());
}

#[test]
fn a_topic_created_as_wanted_does_not_differ() {
    for section in
        ["topics.orders", "topics.commands", "topics.accounts", "topics.deadletter", "topics.changelog"]
    {
        assert_eq!(differences(section, |_, _| ()), [], "{section}");
    }
}

#[test]
fn each_difference_is_found_and_weighed() {
    use Severity::{Weak, Wrong};
    type Change = fn(&mut Config, &mut Found);
    let cases: [(&str, Change, Severity, &str); 17] = [
        ("topics.orders", |_, f| f.partitions = 3, Wrong, "topics.orders.partitions=3"),
        ("topics.changelog", |_, f| f.partitions = 3, Wrong, "one partition per task"),
        ("topics.orders", |_, f| set(f, "cleanup.policy", "compact"), Wrong, "cleanup.policy=delete"),
        (
            "topics.changelog",
            |_, f| set(f, "cleanup.policy", "compact,delete"),
            Wrong,
            "cleanup.policy=compact",
        ),
        ("topics.changelog", |_, f| set(f, "cleanup.policy", "delete"), Wrong, "cleanup.policy=compact"),
        (
            "topics.changelog",
            |_, f| set(f, "delete.retention.ms", "1000"),
            Weak,
            "delete.retention.ms=86400000",
        ),
        ("topics.accounts", |_, f| set(f, "retention.ms", "1000"), Weak, "retention.ms=2592000000"),
        ("topics.orders", |_, f| set(f, "message.timestamp.type", "LogAppendTime"), Wrong, "CreateTime"),
        ("topics.changelog", |_, f| set(f, "message.timestamp.type", "LogAppendTime"), Weak, "CreateTime"),
        (
            "topics.deadletter",
            |_, f| set(f, "message.timestamp.after.max.ms", "3600000"),
            Weak,
            "message.timestamp.after.max.ms=9223372036854775807",
        ),
        ("topics.orders", |_, f| set(f, "min.insync.replicas", "2"), Wrong, "min.insync.replicas=1"),
        ("topics.orders", |_, f| f.replicas = 3, Weak, "min.insync.replicas=2"),
        ("topics.orders", |c, _| c.topics.orders.replication = Replication::Factor(2), Weak, "replication=1"),
        (
            "topics.accounts",
            |_, f| set(f, "max.message.bytes", "1000"),
            Wrong,
            "kafka.producer.batch.size=1000",
        ),
        ("topics.changelog", |_, f| set(f, "max.message.bytes", "1000"), Wrong, "max.message.bytes=1000000"),
        ("topics.deadletter", |_, f| set(f, "max.message.bytes", "1000"), Wrong, "max.message.bytes=1000000"),
        (
            "topics.deadletter",
            |_, f| set(f, "max.message.bytes", "1048588"),
            Weak,
            "max.message.bytes=2097152",
        ),
    ];
    for (section, change, severity, cure) in cases {
        let found = differences(section, change);
        assert_eq!(found.len(), 1, "{section} {cure}: {found:?}");
        assert_eq!(found[0].severity, severity, "{found:?}");
        assert!(found[0].cure.contains(cure), "{cure}: {found:?}");
    }
}

#[test]
fn longer_retention_and_large_inputs_are_nobodys_business() {
    assert_eq!(differences("topics.orders", |_, f| set(f, "retention.ms", "-1")), []);
    assert_eq!(differences("topics.orders", |_, f| set(f, "retention.ms", "999999999999")), []);
    assert_eq!(differences("topics.orders", |_, f| set(f, "max.message.bytes", "1")), []);
}
