//! `millpond run`: an application with its sink, HTTP and signals, from configuration to exit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millpond_membership::Role;
use tokio::signal::unix::{SignalKind, signal};

use super::instance::SinkControl;
use super::settings::Settings;
use super::shared::STOP_MIN;
use super::status::InstanceStatus;
use super::streams::{RunError, SinkPart, StartError, Stopper, Streams};
use crate::app::App;
use crate::config::Config;
use crate::http;
use crate::kafka::{CallError, Cluster};
use crate::metrics::{About, Metrics};
use crate::sink;

/// Longest wait of the sink for one answer about topics.
const TOPICS_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at the sink's state.
const SINK_LOOK: Duration = Duration::from_millis(200);

/// Why an application ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    /// The topology is not valid.
    #[error(transparent)]
    Topology(#[from] millpond_topology::TopologyError),
    /// The configuration lacks something.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The instance.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The instance cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// HTTP.
    #[error(transparent)]
    Http(#[from] http::HttpError),
    /// The sink.
    #[error(transparent)]
    Sink(#[from] sink::SpawnError),
    /// The sink's stop.
    #[error("the sink's stop: {0}")]
    SinkShutdown(#[from] sink::ShutdownError),
    /// Metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The tokio runtime or the signal handlers.
    #[error("system: {0}")]
    System(#[from] std::io::Error),
}

impl ApplicationError {
    /// Says whether something that must hold before did not: nothing has run, and another start changes nothing.
    #[must_use]
    pub fn is_precondition(&self) -> bool {
        matches!(self, Self::Start(StartError::Directory(_) | StartError::Facts(_)))
    }
}

/// The running sink, shared by the instance, HTTP and the watcher, and taken out to be shut down.
#[derive(Clone)]
struct SinkSlot(Arc<Mutex<Option<sink::Handle>>>);

impl SinkSlot {
    fn new(handle: sink::Handle) -> Self {
        Self(Arc::new(Mutex::new(Some(handle))))
    }

    fn with<T>(&self, read: impl FnOnce(&sink::Handle) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(read)
    }

    fn take(&self) -> Option<sink::Handle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn status(&self) -> sink::Status {
        let closed = || sink::Status { state: sink::State::Closed, partitions: Vec::new(), last_error: None };
        self.with(sink::Handle::status).unwrap_or_else(closed)
    }
}

impl SinkControl for SinkSlot {
    fn set_target(&self, target: &BTreeMap<String, BTreeSet<i32>>) {
        self.with(|handle| handle.set_target(target));
    }
}

/// Topic ids for the sink.
struct ClusterTopicIds(Cluster);

impl sink::TopicIds for ClusterTopicIds {
    fn topic_ids(&self, topics: &[&str]) -> Result<BTreeMap<String, sink::TopicId>, sink::TopicIdsError> {
        let failed = |topic: &str, reason: String| sink::TopicIdsError { topic: topic.to_owned(), reason };
        let found = self.0.topics(topics).map_err(|error: CallError| failed("*", error.to_string()))?;
        if let Some(missing) = topics.iter().find(|topic| !found.contains_key(**topic)) {
            return Err(failed(missing, "it does not exist".to_owned()));
        }
        Ok(found.into_iter().map(|(topic, facts)| (topic, sink::TopicId(facts.id))).collect())
    }
}

/// Runs `app` until SIGTERM or SIGINT. Blocks.
///
/// # Errors
/// [`ApplicationError`], whose text names the cure.
pub fn run(config: &Config, app: App) -> Result<(), ApplicationError> {
    abort_on_panic();
    // Failpoints from the environment; nothing unless the feature is on.
    let _failpoints = fail::FailScenario::setup();
    let topology = app.topology(config)?;
    let metrics = Metrics::new(&about(config, &topology))?;
    let streams = Streams::new(topology, Settings::of(config), metrics.clone())?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let sink = match config.roles.0.has(Role::Sink) {
        true => Some(SinkSlot::new(spawn_sink(config, &metrics, tokio.handle())?)),
        false => None,
    };
    let stopper = streams.stopper();
    watch_signals(&tokio, stopper.clone())?;
    let status_sink = sink.clone();
    let shared = streams.shared();
    let status = InstanceStatus {
        app: config.app.id.clone(),
        instance: streams.instance_id().to_owned(),
        topology: hash(streams.topology()),
        sub_topologies: streams.topology().sub_topologies().iter().map(|sub| sub.name().to_owned()).collect(),
        shared: Arc::clone(&shared),
        sink: status_sink.map(|sink| Box::new(move || sink.status()) as super::status::SinkStatusSource),
    };
    let listen = config.http.listen;
    let server = http::Server::start(listen, Arc::new(status), metrics.registry().clone(), tokio.handle())?;
    tracing::info!("http listening on http://{}", server.address());
    let part = match &sink {
        Some(handle) => {
            let topics = [config.topics.accounts.name.as_str(), config.topics.deadletter.name.as_str()];
            Some(SinkPart { control: Box::new(handle.clone()), topics: streams.partition_counts(&topics)? })
        }
        None => None,
    };
    if let Some(handle) = &sink {
        watch_sink(&tokio, handle.clone(), stopper);
    }
    let result = streams.run(part);
    let sink_result = match sink.and_then(|slot| slot.take()) {
        Some(handle) => {
            let left = config.shutdown.timeout.get().saturating_sub(shared.stopping_for());
            tokio.block_on(handle.shutdown(left.max(STOP_MIN)))
        }
        None => Ok(()),
    };
    drop(server);
    if result.is_err() || sink_result.is_err() {
        // Something does not come back; it is not waited for a second time.
        tokio.shutdown_background();
    } else {
        tokio.shutdown_timeout(Duration::from_secs(1));
    }
    result?;
    sink_result?;
    tracing::info!("stopped cleanly");
    Ok(())
}

fn about(config: &Config, topology: &millpond_topology::Topology) -> About {
    About {
        app: config.app.id.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        topology: hash(topology),
        topics: vec![config.topics.orders.name.clone(), config.topics.commands.name.clone()],
        dead_letter_reasons: millpond_ledger::DeadLetter::ALL.iter().map(|reason| reason.name()).collect(),
        debit_outcomes: millpond_ledger::COUNTERS
            .iter()
            .filter_map(|name| name.strip_prefix("debits_"))
            .collect(),
    }
}

fn hash(topology: &millpond_topology::Topology) -> String {
    let bases = topology.sub_topologies().iter().flat_map(|sub| sub.fingerprint().base);
    bases.take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn spawn_sink(
    config: &Config,
    metrics: &Metrics,
    tokio: &tokio::runtime::Handle,
) -> Result<sink::Handle, ApplicationError> {
    let url = config.postgres_url()?;
    let runtime = Settings::of(config);
    let cluster = Cluster::new(&runtime.consumer, TOPICS_TIMEOUT).map_err(StartError::from)?;
    let ids = Arc::new(ClusterTopicIds(cluster));
    let raw = config.kafka.consumer.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let defaults = sink::Settings::new(&runtime.brokers, &config.app.id, url.expose(), ids);
    let settings = sink::Settings {
        consumer_overrides: raw,
        accounts_topic: config.topics.accounts.name.clone(),
        deadletter_topic: config.topics.deadletter.name.clone(),
        batch_rows: usize::try_from(config.sink.batch_rows).unwrap_or(usize::MAX),
        fetch_queue_bytes: config.fetch.queue_bytes.as_usize(),
        e2e_latency: Some(metrics.sink_latency()),
        ..defaults
    };
    Ok(sink::Sink::spawn(settings, metrics.registry(), tokio)?)
}

/// Stops the instance on SIGTERM and SIGINT.
fn watch_signals(tokio: &tokio::runtime::Runtime, stopper: Stopper) -> Result<(), std::io::Error> {
    let _guard = tokio.enter();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
        stopper.stop();
    });
    Ok(())
}

/// Ends the process when the sink stopped because it cannot prove that it is right.
fn watch_sink(tokio: &tokio::runtime::Runtime, sink: SinkSlot, stopper: Stopper) {
    tokio.spawn(async move {
        loop {
            tokio::time::sleep(SINK_LOOK).await;
            match sink.status().state {
                sink::State::Stopped(failure) => return stopper.fail(format!("sink: {failure}")),
                sink::State::Closed => return,
                sink::State::Running | sink::State::Retrying { .. } => {}
            }
        }
    });
}

/// Lets a panic end the process at once, without unwinding: nothing that runs on after one can be trusted with money.
fn abort_on_panic() {
    let message = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        message(info);
        std::process::abort();
    }));
}
