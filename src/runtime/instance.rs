//! The instance's own thread: membership, and who runs what.
//!
//! ```text
//! Target ─▶ acquire ─▶ Restoring ─▶ Running ─▶ Closing ─▶ released
//! Lost   ─▶ everything dropped ─▶ acknowledged ─▶ joins again
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use millpond_membership::{Down, Event, Leave, Membership, Producer, Report, Target, Why};
use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use super::board::TaskPhase;
use super::lane_error::INSTANCE_ID_TAKEN;
use super::messages::{RestoreRequest, ToInstance, ToThread};
use super::settings::{OnStop, Settings};
use super::shared::{STOP_MIN, Shared};
use crate::engine::Incarnation;
use crate::metrics::Metrics;

/// Longest time without progress of a thread, before the process ends itself: a restart costs a tenth of a second.
const WEDGED_AFTER: Duration = Duration::from_secs(60);
/// Longest sleep of the instance's thread.
const TURN_MAX: Duration = Duration::from_millis(100);

/// Where sink partitions go.
pub trait SinkControl: Send {
    /// Takes the whole set of partitions, by topic.
    fn set_target(&self, target: &BTreeMap<String, BTreeSet<i32>>);
}

/// What became of a task here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Restoring { thread: usize },
    Running { thread: usize },
    Closing { thread: usize },
    Sink,
}

impl Slot {
    fn thread(self) -> Option<usize> {
        match self {
            Self::Restoring { thread } | Self::Running { thread } | Self::Closing { thread } => Some(thread),
            Self::Sink => None,
        }
    }
}

/// What the instance is made of.
pub(crate) struct Parts {
    /// Its place in the group.
    pub membership: Box<dyn Membership>,
    /// Senders to the stream threads.
    pub threads: Vec<Sender<ToThread>>,
    /// Sender to the restore thread.
    pub restore: Sender<RestoreRequest>,
    /// Messages from all of them.
    pub inbox: Receiver<ToInstance>,
    /// The sink, where this process runs it, with the topic of each of its sub-topologies.
    pub sink: Option<(Box<dyn SinkControl>, BTreeMap<u32, String>)>,
    /// Metrics.
    pub metrics: Metrics,
}

/// The instance.
pub(crate) struct Instance {
    parts: Parts,
    settings: Settings,
    shared: Arc<Shared>,
    slots: BTreeMap<TaskId, Slot>,
    incarnations: BTreeMap<TaskId, Incarnation>,
    target: Option<Target>,
    generation: i32,
    /// Threads that have not yet acknowledged a loss.
    unacknowledged: BTreeSet<usize>,
    lost: bool,
    rebalancing: Option<Instant>,
}

impl Instance {
    /// Returns an instance without tasks.
    #[must_use]
    pub(crate) fn new(parts: Parts, settings: Settings, shared: Arc<Shared>) -> Self {
        Self {
            parts,
            settings,
            shared,
            slots: BTreeMap::new(),
            incarnations: BTreeMap::new(),
            target: None,
            generation: -1,
            unacknowledged: BTreeSet::new(),
            lost: false,
            rebalancing: None,
        }
    }

    /// Runs until a stop is asked for or the process must end. Returns whether everything was closed in time.
    #[must_use]
    pub(crate) fn run(mut self) -> bool {
        loop {
            self.shared.stamp("instance");
            self.wait();
            if let Some(thread) = self.shared.wedged(WEDGED_AFTER) {
                self.shared.fail(format!("thread {thread} has made no progress for {WEDGED_AFTER:?}"));
            }
            if self.shared.fatal().is_some() {
                return false;
            }
            if self.shared.is_stopping()
                && let Some(clean) = self.stopping()
            {
                return clean;
            }
            self.beat();
        }
    }

    fn wait(&mut self) {
        let due = self.parts.membership.due().saturating_duration_since(Instant::now()).min(TURN_MAX);
        match self.parts.inbox.recv_timeout(due) {
            Ok(message) => {
                self.take(message);
                while let Ok(message) = self.parts.inbox.try_recv() {
                    self.take(message);
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    fn take(&mut self, message: ToInstance) {
        match message {
            ToInstance::Restored(owned) => {
                let (task, incarnation) = (owned.task.id(), owned.incarnation);
                let wanted = self.shared.owns(task, owned.incarnation);
                match self.slots.get(&task).copied() {
                    Some(Slot::Restoring { thread }) if wanted => {
                        if let Some(sender) = self.parts.threads.get(thread) {
                            let _ = sender.send(ToThread::Open(owned));
                        }
                        // From here on the thread is asked to close it.
                        self.slots.insert(task, Slot::Running { thread });
                    }
                    _ => {
                        if let Err(error) = owned.close(self.shared.clock.now().wall_ms) {
                            self.shared.fail(error.to_string());
                        }
                        self.released(task, incarnation);
                    }
                }
            }
            ToInstance::RestoreCancelled(task, incarnation) | ToInstance::Closed(task, incarnation) => {
                self.released(task, incarnation);
            }
            ToInstance::LossAcknowledged(thread) => {
                self.unacknowledged.remove(&thread);
            }
        }
    }

    /// Notes that an acquisition is over. A task that the target names again comes back as a new one.
    fn released(&mut self, task: TaskId, incarnation: Incarnation) {
        if self.incarnations.get(&task) != Some(&incarnation) {
            return;
        }
        self.slots.remove(&task);
        self.incarnations.remove(&task);
        self.shared.ownership().release(task);
        self.shared.board().tasks.remove(&task);
        self.reconcile();
    }

    fn beat(&mut self) {
        let dropped =
            || self.unacknowledged.is_empty() && self.slots.values().all(|slot| *slot == Slot::Sink);
        if self.lost && (dropped() || is(Mutant::NewFenceBeforeDropped)) {
            self.slots.clear();
            self.shared.ownership().acknowledged();
            if let Err(error) = self.parts.membership.acknowledge_lost(Instant::now()) {
                self.shared.fail(error.to_string());
            }
            self.lost = false;
        }
        let is_held = |slot: &Slot| !(is(Mutant::ReportedReleased) && matches!(slot, Slot::Closing { .. }));
        let held = self.slots.iter().filter(|(_, slot)| is_held(slot));
        let report = Report {
            generation: self.generation,
            active: held.map(|(task, _)| *task).collect(),
            ..Report::default()
        };
        match self.parts.membership.beat(Instant::now(), &report) {
            Ok(events) => {
                if let Some((at, session)) = self.parts.membership.confirmed() {
                    self.shared.confirm(at, session);
                }
                events.into_iter().for_each(|event| self.event(event));
            }
            Err(Down::Ended) if self.shared.is_stopping() => {}
            Err(error) => self.shared.fail(format!("group membership: {error}")),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Target(target) => {
                self.generation = target.fence.generation();
                self.shared.ownership().fence(target.fence.clone());
                let took = self.rebalancing.take().map_or(Duration::ZERO, |since| since.elapsed());
                self.parts.metrics.lifecycle().rebalanced(self.generation, took);
                {
                    let mut board = self.shared.board();
                    board.generation = self.generation;
                    board.member = target.fence.member().to_owned();
                    board.rebalances += 1;
                    board.notes.remove("membership");
                }
                self.shared.set_live_ids(ids(&target.producers, |generation| generation == self.generation));
                self.target = Some(target);
                self.reconcile();
            }
            Event::Fence(fence) => {
                self.generation = fence.generation();
                self.shared.board().generation = self.generation;
                self.shared.ownership().fence(fence);
                self.reconcile();
            }
            Event::Hold(held) => {
                if held {
                    self.rebalancing.get_or_insert_with(Instant::now);
                }
                self.shared.set_hold(held.then(Instant::now));
            }
            Event::Lost(Why::FencedInstance) => self.shared.fail(INSTANCE_ID_TAKEN.to_owned()),
            Event::Lost(why) => self.lose(why),
            Event::Blocked(reasons) => {
                let mut board = self.shared.board();
                if reasons.is_empty() {
                    board.notes.remove("membership");
                } else {
                    board.notes.insert("membership", reasons.join("; "));
                }
            }
        }
    }

    fn lose(&mut self, why: Why) {
        tracing::warn!(%why, "membership lost: all tasks are dropped");
        self.shared.lose();
        self.lost = true;
        self.target = None;
        self.generation = -1;
        self.unacknowledged = (0..self.parts.threads.len()).collect();
        for thread in &self.parts.threads {
            let _ = thread.send(ToThread::Lost);
        }
        self.retarget_sink();
        self.shared.board().notes.insert("membership", why.to_string());
    }

    /// Brings what runs here in line with the target.
    fn reconcile(&mut self) {
        let Some(target) = self.target.clone() else { return };
        let stopping = self.shared.is_stopping();
        let surplus: Vec<TaskId> =
            self.slots.keys().copied().filter(|task| stopping || !target.active.contains(task)).collect();
        for task in surplus {
            self.give_up(task);
        }
        if stopping {
            return;
        }
        for &task in &target.active {
            match self.slots.get(&task) {
                None => self.acquire(task, &target),
                // It is acquired anew once it is closed.
                Some(Slot::Closing { .. }) => {
                    tracing::info!(%task, "task is given back while it closes")
                }
                Some(_) => {}
            }
        }
        self.retarget_sink();
    }

    fn acquire(&mut self, task: TaskId, target: &Target) {
        if self.is_sink(task) {
            self.slots.insert(task, Slot::Sink);
            return;
        }
        let incarnation = self.shared.ownership().acquire(task);
        self.incarnations.insert(task, incarnation);
        let thread = self.least_loaded();
        self.slots.insert(task, Slot::Restoring { thread });
        self.shared.board().tasks.entry(task).or_default().phase = TaskPhase::Restoring;
        let current = target.fence.generation();
        let dead_ids = ids(&target.producers, |generation| generation != current);
        let _ = self.parts.restore.send(RestoreRequest { task, incarnation, dead_ids });
    }

    fn is_sink(&self, task: TaskId) -> bool {
        self.parts.sink.as_ref().is_some_and(|(_, topics)| topics.contains_key(&task.subtopology))
    }

    fn least_loaded(&self) -> usize {
        let load = |thread: usize| self.slots.values().filter(|slot| slot.thread() == Some(thread)).count();
        (0..self.parts.threads.len()).min_by_key(|&thread| load(thread)).unwrap_or(0)
    }

    fn give_up(&mut self, task: TaskId) {
        match self.slots.get(&task).copied() {
            Some(Slot::Running { thread }) => {
                if let (Some(sender), Some(incarnation)) =
                    (self.parts.threads.get(thread), self.incarnations.get(&task))
                {
                    let _ = sender.send(ToThread::Close(task, *incarnation));
                }
                self.slots.insert(task, Slot::Closing { thread });
            }
            Some(Slot::Restoring { thread }) => {
                // The restore sees that the task is no longer owned and gives it up.
                self.shared.ownership().release(task);
                self.slots.insert(task, Slot::Closing { thread });
            }
            Some(Slot::Sink) => {
                self.slots.remove(&task);
                self.retarget_sink();
            }
            Some(Slot::Closing { .. }) | None => {}
        }
    }

    fn retarget_sink(&self) {
        let Some((sink, topics)) = &self.parts.sink else { return };
        let mut target: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        if !self.lost {
            for (task, _) in self.slots.iter().filter(|(_, slot)| **slot == Slot::Sink) {
                let partition = i32::try_from(task.partition).unwrap_or(i32::MAX);
                if let Some(topic) = topics.get(&task.subtopology) {
                    target.entry(topic.clone()).or_default().insert(partition);
                }
            }
        }
        sink.set_target(&target);
    }

    /// Closes everything; returns whether it was clean once it is over.
    fn stopping(&mut self) -> Option<bool> {
        let left = self.settings.shutdown_timeout.saturating_sub(self.shared.stopping_for());
        let tasks: Vec<TaskId> = self.slots.keys().copied().collect();
        for task in tasks {
            self.give_up(task);
        }
        let late = left.is_zero();
        if !self.slots.is_empty() && !late {
            return None;
        }
        let how = match self.settings.on_stop {
            OnStop::Leave => Leave::Gone,
            OnStop::Stay => Leave::Back,
        };
        // The sink stops after this and needs its part of the time.
        self.parts.membership.leave(Instant::now(), how, (left / 2).max(STOP_MIN));
        for thread in &self.parts.threads {
            let _ = thread.send(ToThread::Stop);
        }
        self.shared.unstamp("instance");
        Some(!late)
    }
}

/// Transactional ids of the instances whose last generation is wanted.
fn ids(producers: &[Producer], is_wanted: impl Fn(i32) -> bool) -> Vec<String> {
    let wanted = producers.iter().filter(|producer| is_wanted(producer.generation));
    wanted.flat_map(|producer| producer.transactional_ids.iter().cloned()).collect()
}
