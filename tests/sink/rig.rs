//! One test's topics, database and sinks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millpond::sink::{Handle, Settings, Sink, State, Status, Target};
use millpond_mutants::{Mutant, choose};
use prometheus::Registry;
use prometheus::proto::Metric;

use super::cluster::{brokers, create_topic};
use super::database::{Database, server};
use super::topic_ids::FromCluster;

/// How long a test waits for something that should happen within a second or two.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything one test has for itself.
pub(crate) struct Rig {
    pub(crate) app: String,
    pub(crate) accounts: String,
    pub(crate) letters: String,
    pub(crate) partitions: i32,
    pub(crate) database: Database,
}

/// Runs a test on a runtime of its own.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("runtime").block_on(test);
}

/// Runs a test whose sinks' tasks are wrong in this way; those of other tests are not.
pub(crate) fn run_wrong<F: Future<Output = ()>>(mutant: Mutant, test: F) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().on_thread_start(move || choose(&[mutant]));
    runtime.build().expect("runtime").block_on(test);
}

impl Rig {
    /// Makes topics with `partitions` partitions and a database on the server of the tests.
    pub(crate) async fn new(name: &str, partitions: i32) -> Self {
        Self::on(&server(), name, partitions).await
    }

    /// The same, on another PostgreSQL server.
    pub(crate) async fn on(server: &str, name: &str, partitions: i32) -> Self {
        let app = format!("sink-{name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
        let (accounts, letters) = (format!("{app}.account.events"), format!("{app}.deadletter.events"));
        create_topic(&accounts, partitions).await;
        create_topic(&letters, partitions).await;
        let database = Database::create(server, &app).await;
        Self { app, accounts, letters, partitions, database }
    }

    pub(crate) fn settings(&self) -> Settings {
        let topic_ids = Arc::new(FromCluster::new());
        let mut settings = Settings::new(&brokers(), &self.app, &self.database.url, topic_ids);
        settings.accounts_topic.clone_from(&self.accounts);
        settings.deadletter_topic.clone_from(&self.letters);
        settings
    }

    /// Starts a sink with all partitions of both topics.
    pub(crate) fn sink(&self) -> Running {
        self.sink_with(self.settings())
    }

    pub(crate) fn sink_with(&self, settings: Settings) -> Running {
        let registry = Registry::new();
        let handle = Sink::spawn(settings, &registry, &tokio::runtime::Handle::current()).expect("sink");
        handle.set_target(&self.target());
        Running { handle, registry }
    }

    pub(crate) fn target(&self) -> Target {
        let all: BTreeSet<i32> = (0..self.partitions).collect();
        Target::from([(self.accounts.clone(), all.clone()), (self.letters.clone(), all)])
    }
}

/// A running sink and its metrics.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) registry: Registry,
}

impl Running {
    /// Waits until a status is as wanted; fails with the last one when it takes too long.
    pub(crate) async fn wait(&self, what: &str, is_wanted: impl Fn(&Status) -> bool) -> Status {
        let started = Instant::now();
        loop {
            let status = self.handle.status();
            if is_wanted(&status) {
                return status;
            }
            if let State::Stopped(failure) = &status.state {
                panic!("waiting for {what}: stopped: {failure}");
            }
            assert!(started.elapsed() < PATIENCE, "waiting for {what}: {status:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until everything up to the present ends of the partitions is in PostgreSQL.
    pub(crate) async fn drained(&self, rig: &Rig) {
        let ends: Vec<(String, i32, i64)> = [&rig.accounts, &rig.letters]
            .into_iter()
            .flat_map(|topic| (0..rig.partitions).map(|p| (topic.clone(), p, super::cluster::end(topic, p))))
            .collect();
        let is_there = |status: &Status| {
            ends.iter().all(|(topic, number, end)| {
                let found = status.partitions.iter().find(|p| p.topic == *topic && p.partition == *number);
                found.is_some_and(|p| p.next_offset >= Some(*end))
            })
        };
        self.wait("the end", is_there).await;
        self.wait("a lag of 0", Status::is_drained).await;
    }

    /// Waits until the sink has stopped by itself; the message it leaves.
    pub(crate) async fn failure(&self) -> millpond::sink::Failure {
        let failure = tokio::time::timeout(PATIENCE, self.handle.stopped()).await;
        failure.expect("stops in time").expect("stops by itself")
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown(Duration::from_secs(20)).await.expect("clean shutdown");
    }

    /// Sum of a metric's series.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "")
    }

    /// Sum of the series that have a label with this value; of all for an empty one.
    pub(crate) fn metric_of(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let series = family.unwrap_or_else(|| panic!("no metric {name}")).get_metric();
        let is_it = |metric: &&Metric| {
            label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
        };
        let value = |metric: &Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
        series.iter().filter(is_it).map(value).sum()
    }
}
