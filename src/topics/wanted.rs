//! What the topics should be, from configuration and topology.

use millpond_topology::{SubTopology, Topology};

use crate::config::{Config, Replication, Topic};

const DAY_MS: u64 = 24 * 3_600_000;
/// How long inputs are kept: a stopped application has as long to come back.
const INPUT_RETENTION_MS: u64 = 7 * DAY_MS;
/// How long outputs are kept: consumers of their own pace, audits.
const OUTPUT_RETENTION_MS: u64 = 30 * DAY_MS;
/// How long tombstones are kept; a store not flushed for half of it may have missed one and is rebuilt.
pub(super) const TOMBSTONE_RETENTION_MS: u64 = DAY_MS;
/// Inputs take any timestamp, so that one that is far ahead becomes a dead letter instead of the producer's failure; outputs
/// carry their input's. The broker's own limit, an hour, would refuse both.
const TIMESTAMP_AFTER_MAX_MS: i64 = i64::MAX;
/// A dead letter is its record, which is at most as large as brokers take by default (1 MiB), and up to 20 headers. Were it
/// refused, its record would stop the process again and again.
const DEAD_LETTER_BYTES_MAX: u64 = 2 << 20;
/// Compaction skips the last segment, so it is kept small.
const CHANGELOG_SEGMENT_BYTES: u64 = 64 << 20;
/// Share of the log that may be superseded before it is compacted: a restore reads what is not.
const CHANGELOG_DIRTY_RATIO: &str = "0.2";
/// From this many replicas on, one of them may be missing without stopping the producers.
pub(super) const REPLICAS_FOR_TWO_IN_SYNC: u32 = 3;

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read by the application.
    Input,
    /// Written by the application.
    Output,
    /// Takes the records that could not be processed.
    DeadLetters,
    /// The after-images of a sub-topology's stores.
    Changelog,
}

/// A topic as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The section of the configuration that describes it.
    pub section: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// Its partitions.
    pub partitions: u32,
    /// Its replicas.
    pub replication: Replication,
}

impl Wanted {
    fn new(kind: Kind, section: &'static str, topic: &Topic) -> Self {
        let Topic { name, partitions, replication } = topic.clone();
        Self { name, section, kind, partitions, replication }
    }

    /// Returns the topic settings that it is created with.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = match self.kind {
            Kind::Input => deleted_after(INPUT_RETENTION_MS),
            Kind::Output | Kind::DeadLetters => deleted_after(OUTPUT_RETENTION_MS),
            Kind::Changelog => vec![
                ("cleanup.policy", "compact".to_owned()),
                ("delete.retention.ms", TOMBSTONE_RETENTION_MS.to_string()),
                ("segment.bytes", CHANGELOG_SEGMENT_BYTES.to_string()),
                ("min.cleanable.dirty.ratio", CHANGELOG_DIRTY_RATIO.to_owned()),
            ],
        };
        settings.push(("message.timestamp.type", "CreateTime".to_owned()));
        if self.kind != Kind::Changelog {
            settings.push(("message.timestamp.after.max.ms", TIMESTAMP_AFTER_MAX_MS.to_string()));
        }
        if self.kind == Kind::DeadLetters {
            settings.push(("max.message.bytes", DEAD_LETTER_BYTES_MAX.to_string()));
        }
        // With the broker's own replication its own min.insync.replicas goes along.
        if let Replication::Factor(replicas) = self.replication {
            let in_sync = if replicas >= REPLICAS_FOR_TWO_IN_SYNC { 2 } else { 1 };
            settings.push(("min.insync.replicas", in_sync.to_string()));
        }
        settings
    }
}

fn deleted_after(retention_ms: u64) -> Vec<(&'static str, String)> {
    vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", retention_ms.to_string())]
}

/// Returns every topic that the application needs, changelogs last.
#[must_use]
pub fn wanted(config: &Config, topology: &Topology) -> Vec<Wanted> {
    let topics = &config.topics;
    let mut all = vec![
        Wanted::new(Kind::Input, "topics.orders", &topics.orders),
        Wanted::new(Kind::Input, "topics.commands", &topics.commands),
        Wanted::new(Kind::Output, "topics.accounts", &topics.accounts),
        Wanted::new(Kind::DeadLetters, "topics.deadletter", &topics.deadletter),
    ];
    let changelogs: Vec<_> =
        topology.sub_topologies().iter().map(|sub| changelog(config, topology.app(), sub, &all)).collect();
    all.extend(changelogs);
    all
}

/// A changelog has a partition per task, and a task is a partition of the inputs.
fn changelog(config: &Config, app: &str, sub: &SubTopology, others: &[Wanted]) -> Wanted {
    let inputs = sub.inputs().filter_map(|(_, name)| others.iter().find(|topic| topic.name == name));
    Wanted {
        name: sub.changelog_topic(app),
        section: "topics.changelog",
        kind: Kind::Changelog,
        partitions: inputs.map(|topic| topic.partitions).max().unwrap_or(config.topics.orders.partitions),
        replication: config.topics.changelog.replication,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn all(config: &Config) -> Vec<Wanted> {
        wanted(config, &App::Accounts.topology(config).unwrap())
    }

    #[test]
    fn the_ledger_needs_its_four_topics_and_a_changelog() {
        let lines = all(&Config::default()).into_iter().map(|topic| {
            let settings: Vec<_> =
                topic.settings().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{} {} {} {}", topic.name, topic.partitions, topic.replication, settings.join(" "))
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_changelog_has_a_partition_per_task() {
        let mut config = Config::default();
        config.topics.orders.partitions = 6;
        config.topics.commands.partitions = 6;
        config.topics.changelog.replication = Replication::Factor(3);
        let changelog = all(&config).pop().unwrap();
        assert_eq!((changelog.kind, changelog.partitions), (Kind::Changelog, 6));
        assert!(changelog.settings().contains(&("min.insync.replicas", "2".to_owned())));
    }
}
