//! The restore thread: brings tasks' stores up to date, off the processing threads.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use millpond_state::{Directory, Found, Identity, OpenError, Opened, StorageError, Store, set_aside};
use millpond_topology::{RawRecord, SubTopology, TaskId, Topology};

use super::doubt::Doubts;
use super::facts::Facts;
use super::messages::{RestoreRequest, ToInstance};
use super::owned_task::OwnedTask;
use super::restore_error::RestoreError;
use super::settings::Settings;
use super::shared::Shared;
use crate::engine::{Changelog, Plan, StoreFacts, plan};
use crate::kafka::{
    CallError, Cluster, Consumer, Message, PartitionEnds, Position, TopicPartition, code, loses_records,
};

/// Records applied to a store in one batch.
const CHUNK: usize = 50_000;
/// Bytes of values applied to a store in one batch.
const CHUNK_BYTES: usize = 32 * 1024 * 1024;
/// Wait between two looks at something that is not there yet.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// Wait before a restore is tried again after the cluster failed to answer.
const OUTAGE_RETRY: Duration = Duration::from_millis(500);

/// Why one attempt ended without a result.
pub(super) enum Failed {
    /// For good.
    Stop(RestoreError),
    /// The cluster did not answer: try again.
    Again(String),
    /// Something is still pinned, and others wait for their turn.
    Later,
    /// The task is no longer wanted.
    Cancelled,
}

/// How a task's turn ended.
enum Turn {
    /// It is restored, or no longer wanted.
    Done,
    /// It is to have another one after the others'.
    Later,
    /// The thread ends.
    Over,
}

impl From<RestoreError> for Failed {
    fn from(error: RestoreError) -> Self {
        Self::Stop(error)
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Again(error.to_string())
    }
}

/// The restore thread's state.
pub(crate) struct Restorer {
    /// The topology.
    pub topology: Topology,
    /// Facts about topics.
    pub facts: Arc<Facts>,
    /// Settings.
    pub settings: Settings,
    /// Shared state.
    pub shared: Arc<Shared>,
    /// Queries.
    pub cluster: Arc<Cluster>,
    /// Memory of all stores.
    pub memory: millpond_state::Shared,
    /// Where stores live.
    pub directory: Arc<Directory>,
    /// Tasks to restore.
    pub inbox: Receiver<RestoreRequest>,
    /// Where results go.
    pub instance: Sender<ToInstance>,
    /// Metrics.
    pub metrics: crate::metrics::Metrics,
    /// Generation and transactional id of each producer that was fenced.
    pub fenced: RefCell<BTreeSet<(i32, String)>>,
    /// The tasks that a transaction pins: since when, and when that was last seen.
    pub pinned: RefCell<BTreeMap<TaskId, (Instant, Instant)>>,
    /// Refusals that are not believed yet.
    pub doubts: Doubts,
    /// Tasks that wait while one is being restored.
    pub waiting: Cell<usize>,
}

/// A restore in progress.
pub(super) struct Job {
    pub(super) request: RestoreRequest,
    pub(super) sub: Arc<SubTopology>,
    pub(super) changelog: String,
    pub(super) store: Store,
    /// Stable committed offsets by input topic.
    pub(super) committed: BTreeMap<String, Position>,
    pub(super) target: i64,
    pub(super) done: bool,
    pub(super) from: i64,
    pub(super) records: u64,
    pub(super) begun: Instant,
}

impl Restorer {
    /// Restores what comes in until the channel closes.
    pub(crate) fn run(self) {
        let mut consumer = None;
        while let Ok(first) = self.inbox.recv() {
            let mut queue = VecDeque::from([first]);
            while let Some(request) = queue.pop_front() {
                queue.extend(self.inbox.try_iter());
                self.waiting.set(queue.len());
                match self.until_done(&mut consumer, &request) {
                    Turn::Done => {}
                    Turn::Later => queue.push_back(request),
                    Turn::Over => return,
                }
            }
        }
    }

    /// Tries until the task is restored, cancelled or refused, or until others are to have their turn.
    fn until_done(&self, consumer: &mut Option<Consumer>, request: &RestoreRequest) -> Turn {
        let sent = |message| if self.instance.send(message).is_ok() { Turn::Done } else { Turn::Over };
        loop {
            match self.restore(consumer, request) {
                Ok(owned) => {
                    self.shared.board().notes.remove("restore");
                    self.doubts.forget(request.task);
                    return sent(ToInstance::Restored(Box::new(owned)));
                }
                Err(Failed::Cancelled) => {
                    self.shared.board().notes.remove("restore");
                    self.doubts.forget(request.task);
                    return sent(ToInstance::RestoreCancelled(request.task, request.incarnation));
                }
                Err(Failed::Stop(error)) if self.doubts.is_believed(&error) => {
                    self.shared.fail(error.to_string());
                    return Turn::Over;
                }
                Err(Failed::Stop(error)) => {
                    tracing::warn!(task = %request.task, %error, "looked at again before it is believed");
                    self.shared.board().notes.insert("restore", format!("{error} (looked at again)"));
                    *consumer = None;
                    std::thread::sleep(OUTAGE_RETRY);
                    self.ask_whoever_leads(request);
                    if self.waiting.get() > 0 || !self.inbox.is_empty() {
                        return Turn::Later;
                    }
                }
                Err(Failed::Later) => return Turn::Later,
                Err(Failed::Again(why)) => {
                    self.doubts.forget(request.task);
                    tracing::warn!(task = %request.task, %why, "restore is tried again");
                    self.shared.board().notes.insert("restore", format!("task {}: {why}", request.task));
                    // A half-read consumer is not trusted further.
                    *consumer = None;
                    std::thread::sleep(OUTAGE_RETRY);
                }
            }
        }
    }

    /// Learns anew who leads what a task is restored from.
    fn ask_whoever_leads(&self, request: &RestoreRequest) {
        let wanted = self.check_wanted(request).is_ok();
        let Some(sub) = self.topology.sub_topology(request.task.subtopology).filter(|_| wanted) else {
            return;
        };
        let changelog = sub.changelog_topic(self.topology.app());
        let topics = sub.inputs().map(|(_, topic)| topic).chain([changelog.as_str()]);
        self.cluster.refresh(topics);
    }

    pub(super) fn check_wanted(&self, request: &RestoreRequest) -> Result<(), Failed> {
        let wanted = self.shared.owns(request.task, request.incarnation) && self.shared.fatal().is_none();
        if wanted { Ok(()) } else { Err(Failed::Cancelled) }
    }

    fn restore(
        &self,
        consumer: &mut Option<Consumer>,
        request: &RestoreRequest,
    ) -> Result<OwnedTask, Failed> {
        self.check_wanted(request)?;
        fail::fail_point!("restore::begins");
        let sub = self.topology.sub_topology(request.task.subtopology).ok_or(Failed::Cancelled)?;
        // The order matters: after the stable offsets are read, nothing of an older generation can come.
        let committed = self.stable_offsets(request, sub)?;
        let ends = self.stable_end(request, sub)?;
        let mut job = self.open(request, sub, committed, ends)?;
        self.read(consumer, &mut job)?;
        job.store.restored();
        self.finish(job)
    }

    fn open(
        &self,
        request: &RestoreRequest,
        sub: &Arc<SubTopology>,
        committed: BTreeMap<String, Position>,
        ends: PartitionEnds,
    ) -> Result<Job, Failed> {
        let task = request.task;
        let changelog = sub.changelog_topic(self.topology.app());
        let topic_id = self.facts.topic_id(&changelog).ok_or_else(|| missing(&changelog))?;
        let mut opened = self.open_store(task, sub)?;
        let facts = match &opened.found {
            Found::Fresh => None,
            Found::Existing { metadata, .. } => Some(StoreFacts {
                folder: self.directory.task_dir(task).display().to_string(),
                changelog_topic_id: metadata.changelog_topic_id,
                position: metadata.position,
                is_stale: millpond_state::is_stale(
                    metadata,
                    self.shared.clock.now().wall_ms,
                    self.settings.delete_retention_ms,
                ),
            }),
        };
        let described = Changelog {
            topic: changelog.clone(),
            partition: task.partition,
            topic_id,
            log_start: ends.log_start,
            high_watermark: ends.high_watermark,
        };
        let stop = |source| RestoreError::Stop { task, source };
        let from = match plan(&described, facts.as_ref()).map_err(stop)? {
            Plan::FromStart => 0,
            Plan::Tail { from } => from,
            Plan::Rebuild { why } => {
                tracing::warn!(%task, why, "the store is set aside and rebuilt");
                drop(opened);
                self.set_aside(task)?;
                opened = self.open_store(task, sub)?;
                0
            }
        };
        let mut store = opened.store;
        store.set_changelog_topic_id(topic_id).map_err(|source| RestoreError::Storage { task, source })?;
        let target = ends.high_watermark;
        tracing::info!(%task, from, target, "restore begins");
        let request = request.clone();
        let (records, done, begun) = (0, from >= target, Instant::now());
        Ok(Job {
            request,
            sub: Arc::clone(sub),
            changelog,
            store,
            committed,
            target,
            done,
            from,
            records,
            begun,
        })
    }

    fn open_store(&self, task: TaskId, sub: &SubTopology) -> Result<Opened, Failed> {
        let partitions = self.facts.input_partitions(sub);
        let identity = Identity::of(self.topology.app(), sub, task.partition, partitions);
        let dir = self.directory.task_dir(task);
        match Store::open(&dir, &identity, &self.memory) {
            Err(OpenError::Corrupt { path, message }) => {
                tracing::error!(%task, ?path, %message, "the store is damaged: set aside, rebuilt from the changelog");
                self.set_aside(task)?;
                Store::open(&dir, &identity, &self.memory).map_err(|error| RestoreError::from(error).into())
            }
            opened => opened.map_err(|error| RestoreError::from(error).into()),
        }
    }

    fn set_aside(&self, task: TaskId) -> Result<(), Failed> {
        let wall_ms = self.shared.clock.now().wall_ms;
        let path = set_aside(&self.directory.task_dir(task), wall_ms)
            .map_err(|source| RestoreError::SetAside { task, source })?;
        tracing::warn!(%task, ?path, "old store kept here; delete it when it is no longer needed");
        Ok(())
    }

    /// Reads the changelog from the store's position to its end, in chunks that carry their position.
    fn read(&self, slot: &mut Option<Consumer>, job: &mut Job) -> Result<(), Failed> {
        self.progress(job, job.from);
        if job.done {
            return Ok(());
        }
        let consumer = match slot {
            Some(consumer) => consumer,
            None => {
                let mut config = self.settings.consumer.clone();
                // It ends at an offset that is there already: a broker at the end need not wait for more before it says so,
                // whatever the user has set for the inputs.
                config.set("fetch.wait.max.ms", "5");
                slot.insert(Consumer::new(&config)?)
            }
        };
        let partition = job.request.task.partition;
        let key = TopicPartition { topic: job.changelog.clone(), partition };
        consumer.add(&[Position::new(&job.changelog, partition, job.from)])?;
        let result = self.read_chunks(consumer, job);
        consumer.remove(&[key])?;
        result
    }

    fn read_chunks(&self, consumer: &mut Consumer, job: &mut Job) -> Result<(), Failed> {
        let mut chunk: Vec<Message> = Vec::new();
        let mut fetched = Vec::new();
        let (mut bytes, mut last_answer) = (0usize, Instant::now());
        while !job.done {
            self.check_wanted(&job.request)?;
            consumer.fetch(Duration::from_millis(100), 10_000, &mut fetched);
            if fetched.is_empty() && last_answer.elapsed() > Duration::from_secs(30) {
                return Err(Failed::Again("no answer from the changelog's leader for 30 s".to_owned()));
            }
            let mut end = None;
            for message in fetched.drain(..) {
                last_answer = Instant::now();
                match message.err() {
                    0 => {
                        bytes += message.value().map_or(0, <[u8]>::len);
                        chunk.push(message);
                    }
                    code::PARTITION_EOF if message.topic() == job.changelog => end = Some(message.offset()),
                    code::AUTO_OFFSET_RESET => return Err(Failed::Again(message.error_text())),
                    failed if loses_records(failed) => {
                        let (task, offset) = (job.request.task, message.offset());
                        let text = message.error_text();
                        let topic = job.changelog.clone();
                        return Err(RestoreError::Unreadable { task, topic, offset, text }.into());
                    }
                    _ => tracing::warn!(error = %message.error_text(), "restore consumer"),
                }
            }
            // Never stop below the target: a committed update may lie behind what the first end showed.
            job.done = end.is_some_and(|end| end >= job.target);
            if job.done || chunk.len() >= CHUNK || bytes >= CHUNK_BYTES {
                self.apply(job, &mut chunk, end)?;
                bytes = 0;
            }
        }
        Ok(())
    }

    fn apply(&self, job: &mut Job, chunk: &mut Vec<Message>, end: Option<i64>) -> Result<(), Failed> {
        let task = job.request.task;
        let next = chunk.last().map_or(job.store.position(), |last| last.offset() + 1);
        let next = end.map_or(next, |end| end.max(next)).max(job.store.position());
        let wall_ms = self.shared.clock.now().wall_ms;
        let mut records = chunk.iter().map(|record| (record.key().unwrap_or_default(), record.value()));
        job.store.restore(&mut records, next, wall_ms).map_err(|source| match source {
            StorageError::Format(_) | StorageError::ReservedKey { .. } => {
                let (topic, partition) = (job.changelog.clone(), task.partition);
                RestoreError::Unknown { task, topic, partition, next, source }
            }
            source => RestoreError::Storage { task, source },
        })?;
        job.records += chunk.len() as u64;
        chunk.clear();
        self.progress(job, next);
        Ok(())
    }

    fn progress(&self, job: &Job, position: i64) {
        let offsets = |from: i64, to: i64| u64::try_from(to - from).unwrap_or(0);
        let mut board = self.shared.board();
        let line = board.tasks.entry(job.request.task).or_default();
        let fresh = job.records.saturating_sub(line.restored_records);
        line.restore_total = offsets(job.from, job.target);
        line.restore_done = offsets(job.from, position);
        line.restored_records = job.records;
        line.restore_from = job.from;
        line.restore_ms = u64::try_from(job.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        drop(board);
        let metrics = self.metrics.restore(job.sub.name(), job.request.task.partition);
        metrics.advance(position, job.target, fresh);
        if job.done {
            metrics.finish();
        }
    }
}

pub(super) fn missing(topic: &str) -> Failed {
    Failed::Again(format!("topic {topic} is not there; `millpond topics check` says what is missing"))
}
