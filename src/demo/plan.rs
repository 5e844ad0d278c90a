//! The settings of one demo, derived from the user's: names of its own, everything else as configured.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use millpond_oracle::{Target as OracleTarget, Topics as OracleTopics};

use super::args::DemoArgs;
use super::database::with_database;
use super::error::DemoError;
use super::identity::RunId;
use crate::config::{Config, Period, Secret};
use crate::load::{Mix, Options, Target};

/// Name of the ledger's sub-topology.
const SUB_TOPOLOGY: &str = "accounts";

/// Longest flush interval of the demo: several flushes fit between start and kill.
const FLUSH_MS_MAX: f64 = 3_000.0;

/// Shortest flush interval.
const FLUSH_MS_MIN: f64 = 200.0;

/// Everything that one demo has of its own.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Its name.
    pub(super) run: RunId,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// The child's configuration.
    pub(super) config: Config,
    /// The database URL that was configured, for creating and dropping databases.
    pub(super) server_url: String,
    /// The URL of its own database.
    pub(super) database_url: String,
    /// What is generated, but for the partitions.
    pub(super) users: u64,
    pub(super) orders: u64,
    pub(super) rate: u64,
    pub(super) seed: u64,
    /// Share of the orders that is committed at the kill; `None` = no kill.
    pub(super) kill_at: Option<f64>,
}

impl Plan {
    /// Derives the settings of a demo that works in `folder` and whose child is reached at `port`.
    pub(super) fn new(
        base: &Config,
        args: &DemoArgs,
        run: RunId,
        folder: &Path,
        port: u16,
    ) -> Result<Self, DemoError> {
        let server_url = base.sink.postgres.url.as_ref().ok_or(DemoError::NoPostgres)?.expose().to_owned();
        let database_url = with_database(&server_url, &run.database()).ok_or(DemoError::PostgresUrl)?;
        let mut config = base.clone();
        config.app.id = run.as_str().to_owned();
        config.instance.id = Some("demo".to_owned());
        config.roles = Config::default().roles;
        config.state.dir = folder.join("state");
        config.state.flush_interval = flush_interval(args);
        config.sink.postgres.url = Some(Secret::new(database_url.clone()));
        config.http.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let topics = &mut config.topics;
        topics.orders.name = run.topic("order.events");
        topics.commands.name = run.topic("account.commands");
        topics.accounts.name = run.topic("account.events");
        topics.deadletter.name = run.topic("deadletter.events");
        let kill_at = (!args.no_kill).then_some(args.kill_at);
        let DemoArgs { users, orders, rate, seed, .. } = *args;
        let folder = folder.to_owned();
        Ok(Self { run, folder, config, server_url, database_url, users, orders, rate, seed, kill_at })
    }

    /// Returns what is generated for topics of that many partitions.
    pub(super) fn options(&self, partitions: u32) -> Options {
        let Self { users, orders, seed, .. } = *self;
        Options { seed, users, orders, zipf: 0.0, mix: Mix::DEMO, partitions }
    }

    /// Returns where load is written to.
    pub(super) fn load_target(&self) -> Target {
        let raw = self.config.kafka.producer.iter();
        Target {
            brokers: self.config.kafka.brokers.to_string(),
            client: raw.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            orders: self.config.topics.orders.name.clone(),
            commands: self.config.topics.commands.name.clone(),
        }
    }

    /// Returns raw librdkafka keys for reading clients.
    pub(super) fn consumer_keys(&self) -> BTreeMap<String, String> {
        let raw = self.config.kafka.consumer.iter();
        raw.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Returns the name of the changelog topic.
    pub(super) fn changelog(&self) -> String {
        self.run.topic(&format!("{SUB_TOPOLOGY}.changelog"))
    }

    /// Returns what the oracle is to judge.
    pub(super) fn oracle_target(&self) -> OracleTarget {
        let topics = &self.config.topics;
        OracleTarget {
            brokers: self.config.kafka.brokers.to_string(),
            app_id: self.config.app.id.clone(),
            subtopology: SUB_TOPOLOGY.to_owned(),
            topics: OracleTopics {
                orders: topics.orders.name.clone(),
                commands: topics.commands.name.clone(),
                accounts: topics.accounts.name.clone(),
                deadletter: topics.deadletter.name.clone(),
                changelog: self.changelog(),
            },
            state_dirs: vec![self.config.state.dir.join(&self.config.app.id)],
            postgres_url: Some(self.database_url.clone()),
            consumer_overrides: self.consumer_keys(),
        }
    }

    /// Returns the longest time that rows stay unflushed.
    pub(super) fn flush_interval(&self) -> Duration {
        self.config.state.flush_interval.get()
    }
}

/// Returns a flush interval of which at least four pass between the first order and the kill.
fn flush_interval(args: &DemoArgs) -> Period {
    let seconds_to_kill = args.orders as f64 / args.rate as f64 * args.kill_at;
    let ms = (seconds_to_kill * 1_000.0 / 4.0).clamp(FLUSH_MS_MIN, FLUSH_MS_MAX);
    // Between 200 and 3,000: Duration keeps the cast out of sight.
    Period::from_ms(u64::try_from(Duration::from_secs_f64(ms / 1_000.0).as_millis()).unwrap_or(3_000))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
