//! What the runtime takes from the configuration, in the units it works with.

use std::path::PathBuf;
use std::time::Duration;

use millpond_membership::{HostPort, Roles};

use crate::config::{CommitMode, Config, Leave, Poison, TrimmedInput};
use crate::engine::{Batching, Limits, Mode, StartTrimmed};
use crate::kafka::{ClientConfig, ProducerSettings};

/// How long an offset that moved without effect waits for a commit of its own.
const IDLE_COMMIT: Duration = Duration::from_millis(300);

/// Whether a clean stop leaves the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// The others take over at once.
    Leave,
    /// A static member that is back within its session keeps its tasks.
    Stay,
}

/// Settings of one instance.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Static instance id, if configured.
    pub instance: Option<String>,
    /// Bootstrap servers as librdkafka takes them.
    pub brokers: String,
    /// Bootstrap servers for the membership connection.
    pub bootstrap: Vec<HostPort>,
    /// Roles of this process.
    pub roles: Roles,
    /// Stream threads for this many tasks; see `threads`.
    pub threads: crate::config::Threads,
    /// Parent of the application's state directory.
    pub state_dir: PathBuf,
    /// Memory for all stores, those held in memory included, bytes.
    pub memory_budget: usize,
    /// Longest time that applied rows are not flushed.
    pub flush_interval: Duration,
    /// Rows that make a flush due.
    pub flush_rows: u64,
    /// When to commit.
    pub batching: Batching,
    /// Limits of the commit machine.
    pub limits: Limits,
    /// Transactional producers.
    pub producer: ProducerSettings,
    /// Consumer configuration of stream threads, restore and queries.
    pub consumer: ClientConfig,
    /// Bytes of keys and values buffered per input partition, beyond librdkafka's own queue.
    pub buffer_bytes: usize,
    /// Session of the group member.
    pub session_timeout: Duration,
    /// Heartbeat of the group member.
    pub heartbeat_interval: Duration,
    /// What a clean stop does to the membership.
    pub on_stop: OnStop,
    /// Longest time of a clean stop.
    pub shutdown_timeout: Duration,
    /// How far a record may be ahead of the clock, ms.
    pub timestamp_max_ahead_ms: i64,
    /// Whether a first start on a trimmed input is allowed.
    pub may_start_trimmed: StartTrimmed,
    /// Input topics whose bad records stop the process instead of becoming dead letters.
    pub poison_stops: Vec<String>,
    /// `delete.retention.ms` of changelogs: an older store is rebuilt.
    pub delete_retention_ms: i64,
}

impl Settings {
    /// Returns the settings that `config` says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let brokers = config.kafka.brokers.to_string();
        let raw = |raw: &crate::config::RawSettings| {
            raw.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let consumer = ClientConfig::new(&brokers, &raw(&config.kafka.consumer))
            .consumer(&config.app.id, config.fetch.queue_bytes.bytes());
        let timeout = config.transaction.timeout.get();
        let producer =
            ProducerSettings::new(ClientConfig::new(&brokers, &raw(&config.kafka.producer)), timeout);
        let is_static = config.instance.id.is_some();
        let on_stop = match config.membership.leave {
            Leave::Always => OnStop::Leave,
            Leave::Never => OnStop::Stay,
            Leave::Auto if is_static => OnStop::Stay,
            Leave::Auto => OnStop::Leave,
        };
        Self {
            instance: config.instance.id.clone(),
            bootstrap: config.kafka.brokers.list().to_vec(),
            roles: config.roles.0,
            threads: config.threads,
            state_dir: config.state.dir.clone(),
            memory_budget: config.state.memory_budget.as_usize(),
            flush_interval: config.state.flush_interval.get(),
            flush_rows: config.state.flush_rows,
            batching: Batching {
                interval: config.commit.interval.get(),
                rows: usize::try_from(config.commit.rows).unwrap_or(usize::MAX),
                bytes: config.commit.bytes.as_usize(),
                mode: match config.commit.mode {
                    CommitMode::Throughput => Mode::Throughput,
                    CommitMode::Latency => Mode::Latency,
                },
                idle_interval: IDLE_COMMIT,
            },
            limits: Limits {
                impure_after: producer.retry_backoff.mul_f64(0.8),
                commit_deadline: timeout / 2,
                fenced_twice_within: timeout,
            },
            producer,
            consumer,
            buffer_bytes: config.fetch.queue_bytes.as_usize(),
            session_timeout: config.membership.session_timeout.get(),
            heartbeat_interval: config.membership.heartbeat_interval.get(),
            on_stop,
            shutdown_timeout: config.shutdown.timeout.get(),
            timestamp_max_ahead_ms: i64::try_from(config.timestamp.max_ahead.ms()).unwrap_or(i64::MAX),
            may_start_trimmed: match config.start.trimmed_input {
                TrimmedInput::Refuse => StartTrimmed::Refuse,
                TrimmedInput::Allow => StartTrimmed::Allow,
            },
            poison_stops: poison_stops(config),
            delete_retention_ms: 24 * 60 * 60 * 1000,
            brokers,
        }
    }
}

fn poison_stops(config: &Config) -> Vec<String> {
    let inputs = [
        (&config.topics.orders.name, config.on_poison.orders),
        (&config.topics.commands.name, config.on_poison.commands),
    ];
    inputs.into_iter().filter(|(_, poison)| *poison == Poison::Stop).map(|(topic, _)| topic.clone()).collect()
}
