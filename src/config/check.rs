//! Rules that a value alone cannot show: ranges, and keys that depend on each other.

use std::collections::BTreeMap;

use super::error::{ConfigError, Finding, Problem};
use super::origin::Origin;
use super::tree::{Config, Topic};
use super::value::Secret;

/// Longest application or instance id: the name of a changelog or a transactional id is made of it and more.
const ID_BYTES_MAX: usize = 128;
/// Longest topic name that Kafka takes.
const TOPIC_BYTES_MAX: usize = 249;
/// Most partitions: more is surely a slip.
const PARTITIONS_MAX: u32 = 10_000;
/// librdkafka's least `transaction.timeout.ms`.
const TRANSACTION_TIMEOUT_MIN_MS: u64 = 1_000;
/// The broker's default `transaction.max.timeout.ms`.
const TRANSACTION_TIMEOUT_MAX_MS: u64 = 900_000;
/// Longest time between flushes: a store older than half of the changelog's tombstones is rebuilt.
const FLUSH_INTERVAL_MAX_MS: u64 = 3_600_000;
/// Least memory that RocksDB works with: one write buffer and a little cache.
const MEMORY_BUDGET_MIN_BYTES: u64 = 16 << 20;
/// Least fetch queue: one record of the greatest default size.
const QUEUE_MIN_BYTES: u64 = 1 << 20;

impl Config {
    /// Checks the rules between keys; [`load`](super::load) has done so already.
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        let findings = self.findings();
        if findings.is_empty() {
            return Ok(());
        }
        let problem = |finding| Problem { origin: Origin::Default, finding };
        Err(ConfigError::Problems(findings.into_iter().map(problem).collect()))
    }

    /// Returns the connection URL of PostgreSQL.
    ///
    /// # Errors
    /// None is set; the error names the ways to set it.
    pub fn postgres_url(&self) -> Result<&Secret, ConfigError> {
        self.sink.postgres.url.as_ref().ok_or_else(|| {
            let cure = "set MILLPOND_SINK__POSTGRES__URL=postgres://user:password@host/database, or \
                        MILLPOND_SINK__POSTGRES__URL_FILE, or the key in the configuration file; to \
                         run without \
                        PostgreSQL: --roles processor";
            let finding = Finding::new("sink.postgres.url", "is not set").cure(cure);
            ConfigError::Problems(vec![Problem { origin: Origin::Default, finding }])
        })
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut found = vec![];
        self.check_names(&mut found);
        self.check_topics(&mut found);
        self.check_times(&mut found);
        self.check_amounts(&mut found);
        found
    }

    fn check_names(&self, found: &mut Vec<Finding>) {
        let ids = [("app.id", Some(&self.app.id)), ("instance.id", self.instance.id.as_ref())];
        for (key, id) in ids.into_iter().filter_map(|(key, id)| Some((key, id?))) {
            if let Some(what) = illegal_name(id, ID_BYTES_MAX) {
                found.push(Finding::new(key, what));
            }
        }
        if let Some(url) = &self.sink.postgres.url {
            let known =
                ["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme));
            if !known {
                found.push(Finding::new("sink.postgres.url", "must begin with postgres://"));
            }
        }
    }

    fn check_topics(&self, found: &mut Vec<Finding>) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (section, topic) in self.topics.named() {
            if let Some(what) = illegal_name(&topic.name, TOPIC_BYTES_MAX) {
                found.push(Finding::new(format!("{section}.name"), what));
            }
            if let Some(other) = seen.insert(&topic.name, section) {
                let what =
                    format!("is {:?}, and so is {other}.name: each needs a topic of its own", topic.name);
                found.push(Finding::new(format!("{section}.name"), what));
            }
            if !(1..=PARTITIONS_MAX).contains(&topic.partitions) {
                let what = format!("must be 1 to {PARTITIONS_MAX}, not {}", topic.partitions);
                found.push(Finding::new(format!("{section}.partitions"), what));
            }
        }
        let (orders, commands) = (self.topics.orders.partitions, self.topics.commands.partitions);
        if orders != commands {
            let what = format!("is {commands}, but topics.orders.partitions is {orders}");
            let cure = "both are keyed by account and read by the same task, so they need as many partitions";
            found.push(Finding::new("topics.commands.partitions", what).cure(cure));
        }
    }

    fn check_times(&self, found: &mut Vec<Finding>) {
        let mut rule = |key: &str, holds: bool, what: String| {
            if !holds {
                found.push(Finding::new(key, what));
            }
        };
        let (commit, timeout) = (self.commit.interval, self.transaction.timeout);
        rule("commit.interval", commit.ms() >= 1, "must be at least 1ms".to_owned());
        let range = TRANSACTION_TIMEOUT_MIN_MS..=TRANSACTION_TIMEOUT_MAX_MS;
        rule(
            "transaction.timeout",
            range.contains(&timeout.ms()),
            format!("must be 1s to 15m, not {timeout}"),
        );
        rule(
            "transaction.timeout",
            timeout > commit,
            format!(
                "is {timeout}, and must be longer than commit.interval ({commit}): no transaction would live"
            ),
        );
        let (session, beat) = (self.membership.session_timeout, self.membership.heartbeat_interval);
        rule(
            "membership.heartbeat_interval",
            beat.ms() >= 1 && beat.ms() <= session.ms() / 3,
            format!(
                "is {beat}, and must be above 0 and at most a third of membership.session_timeout ({session})"
            ),
        );
        let longest = i32::MAX.unsigned_abs().into();
        rule("membership.session_timeout", session.ms() <= longest, "must be at most 24 days".to_owned());
        rule(
            "shutdown.timeout",
            self.shutdown.timeout > commit,
            format!("is {}, and must be longer than commit.interval ({commit})", self.shutdown.timeout),
        );
        let flush = self.state.flush_interval;
        let flushes = (1..=FLUSH_INTERVAL_MAX_MS).contains(&flush.ms());
        rule("state.flush_interval", flushes, format!("must be 1ms to 1h, not {flush}"));
        rule("timestamp.max_ahead", self.timestamp.max_ahead.ms() >= 1, "must be at least 1ms".to_owned());
    }

    fn check_amounts(&self, found: &mut Vec<Finding>) {
        let positive = [
            ("state.flush_rows", self.state.flush_rows),
            ("commit.rows", self.commit.rows),
            ("commit.bytes", self.commit.bytes.bytes()),
            ("sink.batch_rows", self.sink.batch_rows.into()),
        ];
        for (key, _) in positive.iter().filter(|(_, amount)| *amount == 0) {
            found.push(Finding::new(*key, "must be at least 1"));
        }
        if self.state.memory_budget.bytes() < MEMORY_BUDGET_MIN_BYTES {
            let what = format!("must be at least 16MiB, not {}", self.state.memory_budget);
            found.push(Finding::new("state.memory_budget", what));
        }
        if self.fetch.queue_bytes.bytes() < QUEUE_MIN_BYTES {
            let what = format!("must be at least 1MiB, not {}", self.fetch.queue_bytes);
            found.push(Finding::new("fetch.queue_bytes", what));
        }
    }
}

impl super::tree::Topics {
    /// Returns the topics that have a name of their own, with the section that configures each.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &Topic); 4] {
        [
            ("topics.orders", &self.orders),
            ("topics.commands", &self.commands),
            ("topics.accounts", &self.accounts),
            ("topics.deadletter", &self.deadletter),
        ]
    }
}

fn illegal_name(name: &str, bytes_max: usize) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > bytes_max {
        Some(format!("must be 1 to {bytes_max} characters long, not {}", name.len()))
    } else if matches!(name, "." | "..") || !name.chars().all(legal) {
        Some(format!("may hold letters, digits, '.', '_' and '-' only, as Kafka's names do, not {name:?}"))
    } else {
        None
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
