//! Starting, steering and stopping the sink.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prometheus::Registry;
use rdkafka::consumer::BaseConsumer;
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::batch::{Content, Partition};
use super::connection::Connection;
use super::failure::Failure;
use super::metrics::Metrics;
use super::reader::{self, ReaderLine};
use super::settings::Settings;
use super::shared::{PanicGuard, Phase, Shared};
use super::status::{State, Status};
use super::watch as watcher;
use super::writer::{Parts, Writer};

/// Partitions per topic that this process is to sink. Topics other than the two of the settings are ignored.
pub type Target = BTreeMap<String, BTreeSet<i32>>;

/// Why the sink did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The Kafka client refuses its configuration.
    #[error("the sink's Kafka client: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The PostgreSQL URL is malformed. The URL is not shown: it may hold a password.
    #[error("sink.postgres.url is not a PostgreSQL URL")]
    PostgresUrl,
    /// The metrics are registered already.
    #[error("the sink's metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The system has no thread left.
    #[error("the sink's threads: {0}")]
    Threads(#[from] std::io::Error),
}

/// The sink did not come to rest in time. Nothing is lost: what was not committed will be read again.
#[derive(Debug, thiserror::Error)]
#[error(
    "the sink did not finish its batch within {0:?}; it was abandoned and will be written at the next start"
)]
pub struct ShutdownError(pub Duration);

/// The exactly-once PostgreSQL writer.
#[derive(Debug)]
pub struct Sink;

impl Sink {
    /// Starts the sink's threads and, on `runtime`, its tasks. It reads nothing before it has a target, and
    /// reaches neither Kafka nor PostgreSQL on the way: an unreachable server is retried, not an error.
    ///
    /// # Errors
    /// [`SpawnError`] when the settings are unusable or the metrics are registered already.
    pub fn spawn(
        settings: Settings,
        registry: &Registry,
        runtime: &runtime::Handle,
    ) -> Result<Handle, SpawnError> {
        let name = settings.sink_name();
        let connections =
            (0..settings.writers.max(1)).map(|_| Connection::new(&settings.postgres_url, &name));
        let connections: Vec<_> =
            connections.collect::<Result<_, _>>().map_err(|_| SpawnError::PostgresUrl)?;
        let consumer: BaseConsumer = settings.client_config().create()?;
        let shared = Arc::new(Shared::new(settings, consumer, Metrics::register(registry)?));
        let (reader, reader_thread) = reader::spawn(Arc::clone(&shared))?;
        let watch_thread = watcher::spawn(Arc::clone(&shared))?;
        let target = watch::Sender::new(BTreeSet::new());
        let writers = connections
            .into_iter()
            .enumerate()
            .map(|(number, connection)| {
                let parts = Parts {
                    shared: Arc::clone(&shared),
                    connection,
                    reader: reader.clone(),
                    target: target.subscribe(),
                    number,
                };
                let guard = PanicGuard(Arc::clone(&shared), "writer task");
                runtime.spawn(async move {
                    let _guard = guard;
                    Writer::new(parts).run().await;
                })
            })
            .collect();
        Ok(Handle { shared, target, reader, writers, threads: vec![reader_thread, watch_thread] })
    }
}

/// A running sink. Dropping it stops the sink without waiting.
pub struct Handle {
    shared: Arc<Shared>,
    target: watch::Sender<BTreeSet<Arc<Partition>>>,
    reader: ReaderLine,
    writers: Vec<JoinHandle<()>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Handle {
    /// Sets which partitions this process is to sink, all at once; called when the assignment changes. Returns
    /// at once: what is new is taken and what is gone is released in the background. Two processes may have
    /// the same partition meanwhile, the rows stay exact.
    pub fn set_target(&self, target: &Target) {
        let settings = &self.shared.settings;
        let mut wanted = BTreeSet::new();
        for (topic, numbers) in target {
            let content = if *topic == settings.accounts_topic {
                Content::AccountEvents
            } else if *topic == settings.deadletter_topic {
                Content::DeadLetters
            } else {
                self.shared.note(format!("{topic} is no topic of the sink: ignored"));
                continue;
            };
            let partition =
                |number: &i32| Arc::new(Partition { topic: topic.clone(), number: *number, content });
            wanted.extend(numbers.iter().map(partition));
        }
        self.target.send_if_modified(|current| {
            for gone in current.difference(&wanted) {
                self.shared.untrack(gone);
            }
            for new in wanted.difference(current) {
                self.shared.track(new);
            }
            let is_modified = *current != wanted;
            *current = wanted;
            is_modified
        });
    }

    /// Returns what the sink says about itself now.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Waits until the sink has stopped by itself; returns why, or `None` after a shutdown.
    pub async fn stopped(&self) -> Option<Failure> {
        let mut phases = self.shared.phases();
        // An error would mean that the sender is gone, which `self` holds.
        let _ = phases.wait_for(|phase| matches!(phase, Phase::Failed(_) | Phase::Closed)).await;
        match self.status().state {
            State::Stopped(failure) => Some(failure),
            State::Running | State::Retrying { .. } | State::Closed => None,
        }
    }

    /// Stops cleanly: finishes the batches at hand, takes no new ones, publishes the group offsets, ends the
    /// threads. A batch that is waiting for a database that is down is dropped at once.
    ///
    /// # Errors
    /// [`ShutdownError`] when a batch takes longer than `deadline`; it is abandoned, its transaction either
    /// commits as a whole or not at all.
    pub async fn shutdown(mut self, deadline: Duration) -> Result<(), ShutdownError> {
        let until = Instant::now() + deadline;
        self.shared.enter(Phase::Stopping);
        let mut in_time = true;
        for mut writer in std::mem::take(&mut self.writers) {
            let left = until.saturating_duration_since(Instant::now());
            if tokio::time::timeout(left, &mut writer).await.is_err() {
                writer.abort();
                in_time = false;
            }
        }
        self.shared.enter(Phase::Closed);
        self.wake();
        let threads = std::mem::take(&mut self.threads);
        // The last owner of the client closes it, which blocks: not here.
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A panic was already reported by its guard.
                let _ = thread.join();
            }
            drop(self);
        });
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
        if tokio::time::timeout(left, ended).await.is_err() {
            // Every batch is written or given up by now: what hangs is the client's own end.
            tracing::warn!(within = ?deadline, "the sink's Kafka client does not close: no broker answers it");
        }
        if in_time { Ok(()) } else { Err(ShutdownError(deadline)) }
    }

    fn wake(&self) {
        self.reader.wake();
        for thread in &self.threads {
            thread.thread().unpark();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // After a shutdown there is nothing left to close.
        self.shared.enter(Phase::Closed);
        self.wake();
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("status", &self.status()).finish_non_exhaustive()
    }
}
