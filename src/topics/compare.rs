//! What differs between a topic as it should be and as it is: pure.

use std::collections::BTreeMap;

use super::wanted::{Kind, REPLICAS_FOR_TWO_IN_SYNC, TOMBSTONE_RETENTION_MS, Wanted};
use crate::config::{Config, Replication};

/// The producers' `batch.size` unless `kafka.producer` sets it.
const BATCH_BYTES: i64 = 1_000_000;

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its partitions.
    pub partitions: u32,
    /// Replicas of the partition that has fewest.
    pub replicas: u32,
    /// Its settings, the broker's defaults included.
    pub settings: BTreeMap<String, String>,
}

impl Found {
    fn setting(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", String::as_str)
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.setting(key).parse().ok()
    }
}

/// What a difference means for running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can be run with, and should be mended.
    Weak,
    /// It cannot be run with: results would be wrong or lost.
    Wrong,
}

/// How a topic differs from what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The topic.
    pub topic: String,
    /// What it means.
    pub severity: Severity,
    /// What is different.
    pub what: String,
    /// What mends it: a command, or a key to change.
    pub cure: String,
}

/// Compares one topic.
#[must_use]
pub fn compare(wanted: &Wanted, found: &Found, config: &Config) -> Vec<Difference> {
    let mut comparison = Comparison { wanted, found, config, differences: vec![] };
    comparison.partitions();
    comparison.cleanup();
    comparison.timestamps();
    comparison.future_timestamps();
    comparison.replicas();
    comparison.batches();
    comparison.dead_letters();
    comparison.differences
}

struct Comparison<'a> {
    wanted: &'a Wanted,
    found: &'a Found,
    config: &'a Config,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn differs(&mut self, severity: Severity, what: String, cure: String) {
        self.differences.push(Difference { topic: self.wanted.name.clone(), severity, what, cure });
    }

    /// Returns the command that changes a setting of the topic.
    fn alter(&self, key: &str, value: &str) -> String {
        let (brokers, name) = (&self.config.kafka.brokers, &self.wanted.name);
        format!(
            "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {name} \
             --add-config {key}={value}"
        )
    }

    fn partitions(&mut self) {
        let (wanted, found) = (self.wanted.partitions, self.found.partitions);
        if wanted == found {
            return;
        }
        let what = format!("has {found} partitions, {wanted} are configured");
        let cure = match self.wanted.kind {
            Kind::Changelog => {
                "it needs one partition per task: as many as the inputs have; a changelog with state \
                                in it cannot be changed"
                    .to_owned()
            }
            Kind::Input | Kind::Output | Kind::DeadLetters => {
                let section = self.wanted.section;
                format!(
                    "set {section}.partitions={found} if the topic is right; a topic with records \
                     in it cannot be \
                     changed, since keys would move between partitions"
                )
            }
        };
        self.differs(Severity::Wrong, what, cure);
    }

    fn cleanup(&mut self) {
        let policy = if self.wanted.kind == Kind::Changelog { "compact" } else { "delete" };
        let found = self.found.setting("cleanup.policy").to_owned();
        if found != policy {
            let why = match self.wanted.kind {
                Kind::Changelog => "old balances would be deleted",
                Kind::Input | Kind::Output | Kind::DeadLetters => {
                    "records with the same key would replace each other"
                }
            };
            let what = format!("has cleanup.policy={found}, {policy} is needed: {why}");
            self.differs(Severity::Wrong, what, self.alter("cleanup.policy", policy));
        }
        let (key, least) = match self.wanted.kind {
            Kind::Changelog => ("delete.retention.ms", TOMBSTONE_RETENTION_MS),
            Kind::Input | Kind::Output | Kind::DeadLetters => ("retention.ms", self.planned("retention.ms")),
        };
        let least = i64::try_from(least).unwrap_or(i64::MAX);
        let kept = self.found.number(key).filter(|kept| (0..least).contains(kept));
        if let Some(kept) = kept {
            let what = format!("has {key}={kept}, less than the {least} it is planned with");
            self.differs(Severity::Weak, what, self.alter(key, &least.to_string()));
        }
    }

    fn planned(&self, key: &str) -> u64 {
        let settings = self.wanted.settings();
        settings
            .iter()
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or_default()
    }

    fn timestamps(&mut self) {
        let found = self.found.setting("message.timestamp.type").to_owned();
        if found != "CreateTime" {
            let what = format!(
                "has message.timestamp.type={found}: outputs carry their input's timestamp, and a \
                 replay must \
                 give the same bytes"
            );
            let severity = if self.wanted.kind == Kind::Changelog { Severity::Weak } else { Severity::Wrong };
            self.differs(severity, what, self.alter("message.timestamp.type", "CreateTime"));
        }
    }

    /// An output carries its input's timestamp, which may be as far ahead of the clock as `timestamp.max_ahead`.
    fn future_timestamps(&mut self) {
        let key = "message.timestamp.after.max.ms";
        let ahead_ms = i64::try_from(self.config.timestamp.max_ahead.ms()).unwrap_or(i64::MAX);
        let found = self.found.number(key).filter(|found| *found < ahead_ms);
        if let (Kind::Output | Kind::DeadLetters, Some(found)) = (self.wanted.kind, found) {
            let what = format!(
                "has {key}={found}, less than timestamp.max_ahead ({ahead_ms} ms): the broker refuses outputs of inputs \
                 dated between the two, which then become dead letters"
            );
            let cure = self.alter(key, &self.planned(key).to_string());
            self.differs(Severity::Weak, what, cure);
        }
    }

    fn replicas(&mut self) {
        let replicas = self.found.replicas;
        if let Replication::Factor(wanted) = self.wanted.replication
            && wanted != replicas
        {
            let what = format!("has {replicas} replicas, {wanted} are configured");
            let cure = format!(
                "kafka-reassign-partitions.sh changes replicas; or set {}.replication={replicas}",
                self.wanted.section
            );
            self.differs(Severity::Weak, what, cure);
        }
        let Some(in_sync) = self.found.number("min.insync.replicas") else { return };
        if in_sync > i64::from(replicas) {
            let what =
                format!("has min.insync.replicas={in_sync} and {replicas} replicas: nothing can be written");
            self.differs(Severity::Wrong, what, self.alter("min.insync.replicas", &replicas.to_string()));
        } else if in_sync < 2 && replicas >= REPLICAS_FOR_TWO_IN_SYNC {
            let what = format!(
                "has min.insync.replicas={in_sync} of {replicas} replicas: losing one broker can \
                 lose what was \
                 acknowledged"
            );
            self.differs(Severity::Weak, what, self.alter("min.insync.replicas", "2"));
        }
    }

    /// A dead letter is larger than its record by its headers; its topic must take those of the largest records.
    fn dead_letters(&mut self) {
        let key = "max.message.bytes";
        let least = i64::try_from(self.planned(key)).unwrap_or(i64::MAX);
        let batch = self.batch_bytes();
        let most = self.found.number(key).filter(|most| (batch..least).contains(most));
        if let (Kind::DeadLetters, Some(most)) = (self.wanted.kind, most) {
            let what = format!(
                "has {key}={most}, less than the {least} it is planned with: the dead letter of a record of almost that size \
                 would be refused and stop the process"
            );
            self.differs(Severity::Weak, what, self.alter(key, &least.to_string()));
        }
    }

    /// Returns the size to which the producers fill batches.
    fn batch_bytes(&self) -> i64 {
        let set = self.config.kafka.producer.get("batch.size").and_then(|bytes| bytes.parse().ok());
        set.unwrap_or(BATCH_BYTES)
    }

    /// A producer fills batches to its `batch.size`; the broker refuses one that is larger than it takes.
    fn batches(&mut self) {
        if self.wanted.kind == Kind::Input {
            return;
        }
        let batch = self.batch_bytes();
        let most = self.found.number("max.message.bytes");
        if let Some(most) = most.filter(|most| *most < batch) {
            let what = format!("has max.message.bytes={most}, less than the producers' batch.size {batch}");
            let cure = format!("set kafka.producer.batch.size={most}, or: {}", {
                self.alter("max.message.bytes", &batch.to_string())
            });
            self.differs(Severity::Wrong, what, cure);
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
