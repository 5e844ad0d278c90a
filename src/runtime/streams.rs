//! One instance of an application: everything started, run and stopped.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use millpond_membership::{
    ClassicMember, Identity, Plan, PlanError, Role, SettingsError, Sticky, SubTopology,
};
use millpond_state::{Directory, DirectoryError};
use millpond_topology::Topology;

use super::doubt::Doubts;
use super::facts::{Facts, FactsError};
use super::fencing::fence_dead;
use super::instance::{Instance, Parts, SinkControl};
use super::lane::Lane;
use super::lane_error::LaneError;
use super::memory::Memory;
use super::messages::{ToInstance, ToThread};
use super::observe::Observer;
use super::restore::Restorer;
use super::settings::Settings;
use super::shared::Shared;
use super::stream_thread::{StreamThread, ThreadParts};
use super::thread_error::ThreadError;
use super::watch::Watch;
use crate::kafka::{CallError, Cluster, Consumer};
use crate::metrics::Metrics;

/// Longest wait for one answer of the cluster.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an instance cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The topics.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A client.
    #[error("kafka client: {0}")]
    Kafka(#[from] CallError),
    /// The tasks.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The membership's settings.
    #[error(transparent)]
    Membership(#[from] SettingsError),
    /// No thread.
    #[error("thread {name}: {source}")]
    Thread {
        /// Which.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why an instance ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It stopped because nothing could be proven any more.
    #[error("{0}")]
    Fatal(String),
    /// The clean stop took too long.
    #[error(
        "the stop took longer than shutdown.timeout; what was open is aborted and processed again after the restart"
    )]
    Late,
}

/// Asks a running instance to stop cleanly.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Asks for the stop.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends the instance with an error.
    pub fn fail(&self, why: String) {
        self.0.fail(why);
    }
}

/// The sink's place in an instance: its control, and its topics with their partition counts.
pub struct SinkPart {
    /// Where partitions go.
    pub control: Box<dyn SinkControl>,
    /// Topics that it reads, with their partition counts.
    pub topics: BTreeMap<String, u32>,
}

/// One instance of an application, checked and ready to run.
pub struct Streams {
    topology: Topology,
    settings: Settings,
    shared: Arc<Shared>,
    directory: Directory,
    cluster: Arc<Cluster>,
    facts: Arc<Facts>,
    memory: millpond_state::Shared,
    metrics: Metrics,
}

impl Streams {
    /// Opens the state directory and checks the topics.
    ///
    /// # Errors
    /// [`StartError`] names what is missing and the cure.
    pub fn new(topology: Topology, settings: Settings, metrics: Metrics) -> Result<Self, StartError> {
        let root = settings.state_dir.join(topology.app());
        let mut directory = Directory::open(&root, topology.app(), settings.instance.as_deref())?;
        let cluster = Arc::new(Cluster::new(&settings.consumer, QUERY_TIMEOUT)?);
        let facts = Arc::new(Facts::gather(&cluster, &topology)?);
        if settings.roles.has(Role::Processor) {
            let outputs = facts.outputs(&topology);
            directory.record_output_topics(outputs.iter().map(|(topic, id)| (topic.as_str(), *id)))?;
        }
        let parts = Memory::divide(settings.memory_budget, &topology);
        let memory = millpond_state::Shared::new(parts.rocksdb);
        tracing::info!(budget = ?memory.budget(), held = parts.held, "memory of the stores");
        let process = uuid::Uuid::new_v4().as_u64_pair().0;
        let shared = Arc::new(Shared::new(process));
        Ok(Self { topology, settings, shared, directory, cluster, facts, memory, metrics })
    }

    /// Returns the instance id.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        self.directory.instance_id()
    }

    /// Returns the topology.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Returns the state that HTTP shows.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Returns what stops the instance.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    /// Returns the partition counts of `topics`.
    ///
    /// # Errors
    /// [`StartError`] when the cluster does not answer or one is missing.
    pub fn partition_counts(&self, topics: &[&str]) -> Result<BTreeMap<String, u32>, StartError> {
        let found = self.cluster.topics(topics)?;
        if let Some(missing) = topics.iter().find(|topic| !found.contains_key(**topic)) {
            return Err(FactsError::Missing { topic: (*missing).to_owned() }.into());
        }
        Ok(found.into_iter().map(|(topic, facts)| (topic, facts.partitions)).collect())
    }

    /// Runs until stopped. Blocks.
    ///
    /// # Errors
    /// [`RunError`]; the process is to end with its text.
    pub fn run(mut self, sink: Option<SinkPart>) -> Result<(), RunError> {
        let ids = self.transactional_ids().map_err(StartError::from)?;
        self.fence_own_past(&ids);
        let (to_instance, inbox) = unbounded::<ToInstance>();
        let (restore, restore_inbox) = unbounded();
        let mut threads = Vec::new();
        let mut handles = Vec::new();
        if self.settings.roles.has(Role::Processor) {
            for (number, id) in ids.iter().enumerate() {
                let (sender, handle) = self.spawn_thread(number, id.clone(), to_instance.clone())?;
                threads.push(sender);
                handles.push(handle);
            }
        }
        let membership = self.membership(sink.as_ref(), threads.len())?;
        let first_sink = u32::try_from(self.topology.sub_topologies().len()).unwrap_or(u32::MAX);
        let sink = sink.map(|part| {
            let numbered =
                part.topics.keys().zip(first_sink..).map(|(topic, number)| (number, topic.clone()));
            (part.control, numbered.collect())
        });
        let directory = Arc::new(self.directory);
        let watch = Watch {
            topology: self.topology.clone(),
            topics: self.facts.known(&self.topology),
            shared: Arc::clone(&self.shared),
            cluster: Arc::clone(&self.cluster),
            threads: threads.clone(),
            metrics: self.metrics.clone(),
            memory: self.memory.clone(),
            directory: Arc::clone(&directory),
        };
        spawn("watch", move || watch.run())?;
        let restorer = Restorer {
            fenced: RefCell::default(),
            pinned: RefCell::default(),
            doubts: Doubts::default(),
            waiting: Cell::default(),
            topology: self.topology.clone(),
            facts: Arc::clone(&self.facts),
            settings: self.settings.clone(),
            shared: Arc::clone(&self.shared),
            cluster: Arc::clone(&self.cluster),
            memory: self.memory.clone(),
            directory,
            inbox: restore_inbox,
            instance: to_instance,
            metrics: self.metrics.clone(),
        };
        spawn("restore", move || restorer.run())?;
        let membership = Box::new(membership);
        let parts = Parts { membership, threads, restore, inbox, sink, metrics: self.metrics.clone() };
        let clean = Instance::new(parts, self.settings.clone(), Arc::clone(&self.shared)).run();
        if let Some(why) = self.shared.fatal() {
            return Err(RunError::Fatal(why));
        }
        if !clean {
            // A thread that waits for a cluster that does not answer would be waited for in vain.
            return Err(RunError::Late);
        }
        for handle in handles {
            let _ = handle.join();
        }
        Ok(())
    }

    /// Returns the transactional id of each thread, each noted in the state directory before its first use.
    fn transactional_ids(&mut self) -> Result<Vec<String>, DirectoryError> {
        let tasks: u32 =
            self.topology.sub_topologies().iter().map(|sub| self.facts.input_partitions(sub)).sum();
        let count = self.settings.threads.count(tasks as usize).max(1);
        let (app, instance) = (self.topology.app().to_owned(), self.directory.instance_id().to_owned());
        let ids: Vec<_> = (0..count).map(|thread| format!("{app}-{instance}-{thread}-a")).collect();
        for id in &ids {
            self.directory.record_transactional_id(id)?;
        }
        Ok(ids)
    }

    /// Fences every id that this directory's instances ever used and that no thread will use now.
    fn fence_own_past(&self, current: &[String]) {
        let past: Vec<_> =
            self.directory.transactional_ids().iter().filter(|id| !current.contains(id)).cloned().collect();
        fence_dead(&self.settings.producer, &past, &self.shared, |_| !self.shared.is_stopping());
    }

    fn spawn_thread(
        &self,
        number: usize,
        transactional_id: String,
        instance: Sender<ToInstance>,
    ) -> Result<(Sender<ToThread>, JoinHandle<()>), StartError> {
        let (sender, inbox) = unbounded();
        let name = format!("stream-{number}");
        let first = self.topology.sub_topologies().first();
        let warm_up = first.map(|sub| sub.changelog_topic(self.topology.app())).unwrap_or_default();
        let (settings, shared, cluster) =
            (self.settings.clone(), Arc::clone(&self.shared), Arc::clone(&self.cluster));
        let observer = Observer::new(number, &self.metrics, &self.shared);
        let thread_name = name.clone();
        let handle = spawn(&name, move || {
            let run = || -> Result<(), ThreadError> {
                let lane =
                    Lane::start(&thread_name, transactional_id, warm_up, &settings, (&shared, &cluster))?;
                let consumer = Consumer::new(&settings.consumer)
                    .map_err(|error| ThreadError::Consumer { what: "consumer".to_owned(), error })?;
                let name = thread_name.clone();
                let parts = ThreadParts { name, number, inbox, instance, lane, consumer, observer };
                StreamThread::new(parts, settings, Arc::clone(&shared)).run()
            };
            match run() {
                Ok(()) => {}
                Err(ThreadError::Lane(LaneError::Stopping)) => tracing::info!("{thread_name} stops"),
                Err(error) => shared.fail(format!("{thread_name}: {error}")),
            }
            shared.unstamp(&thread_name);
        })?;
        Ok((sender, handle))
    }

    fn membership(&self, sink: Option<&SinkPart>, threads: usize) -> Result<ClassicMember, StartError> {
        let mut subs: Vec<SubTopology> = self
            .topology
            .sub_topologies()
            .iter()
            .map(|sub| SubTopology {
                id: sub.number(),
                topics: sub.inputs().map(|(_, topic)| topic.to_owned()).collect(),
                partitions: self.facts.input_partitions(sub),
                role: Role::Processor,
            })
            .collect();
        let first_sink = u32::try_from(subs.len()).unwrap_or(u32::MAX);
        if let Some(part) = sink {
            for (number, (topic, partitions)) in (first_sink..).zip(&part.topics) {
                let topics = vec![topic.clone()];
                subs.push(SubTopology { id: number, topics, partitions: *partitions, role: Role::Sink });
            }
        }
        let mut settings =
            millpond_membership::Settings::new(self.topology.app(), self.settings.bootstrap.clone());
        settings.instance.clone_from(&self.settings.instance);
        settings.session_timeout = self.settings.session_timeout;
        settings.heartbeat_interval = self.settings.heartbeat_interval;
        settings.jitter_seed = uuid::Uuid::new_v4().as_u64_pair().1;
        let identity = Identity {
            roles: self.settings.roles,
            threads: u16::try_from(threads).unwrap_or(u16::MAX),
            endpoint: None,
            transactional_ids: self.directory.transactional_ids().to_vec(),
            topology: self
                .topology
                .sub_topologies()
                .iter()
                .flat_map(|sub| sub.fingerprint().base)
                .take(64)
                .collect(),
        };
        let plan = Plan::new(subs)?;
        Ok(ClassicMember::new(settings, identity, plan, Arc::new(Sticky), Instant::now())?)
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|source| StartError::Thread { name: name.to_owned(), source })
}
