//! The instance's own thread: membership, and who runs what; as `src/runtime/instance.rs` over
//! `membership/src/classic.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use millpond::engine::Incarnation;
use millpond_membership::{Action, Event, Input, Leave, Machine, Producer, Report, StateKind, Target, Why};
use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use super::shared::{RestoreRequest, Shared, ToInstance, ToThread};
use crate::executor::{Inbox, MS, Micros, SECOND};
use crate::fleet::step;
use crate::network::{FromLine, Line};
use crate::world::{World, note};

const TURN_MAX: Micros = 100 * MS;
const POLL: Micros = 20 * MS;
const SHUTDOWN_TIMEOUT: Micros = 20 * SECOND;
const LEAVE_TIMEOUT: Micros = 8 * SECOND;

/// The machine on one connection.
pub(crate) struct Member {
    pub(crate) world: Rc<World>,
    pub(crate) machine: Machine,
    pub(crate) start: Instant,
    pub(crate) line: Option<Rc<Line>>,
    pub(crate) inbox: Rc<Inbox<FromLine>>,
    pub(crate) events: Vec<Event>,
}

impl Member {
    fn now(&self) -> Instant {
        self.start + Duration::from_micros(self.world.now())
    }

    async fn feed(&mut self, input: Input<'_>) -> Result<(), String> {
        let now = self.now();
        let mut todo: std::collections::VecDeque<Action> =
            self.machine.step(now, input).map_err(|refused| refused.to_string())?.into();
        while let Some(action) = todo.pop_front() {
            let next = match action {
                Action::Tell(event) => {
                    self.events.push(event);
                    continue;
                }
                Action::Close => {
                    self.hang_up();
                    continue;
                }
                Action::Connect { timeout, .. } => {
                    if self.connect(u64::try_from(timeout.as_micros()).unwrap()).await {
                        Input::Connected
                    } else {
                        Input::Disconnected
                    }
                }
                Action::Send(bytes) => {
                    if let Some(line) = &self.line {
                        line.send(&self.world, bytes.to_vec());
                        continue;
                    }
                    Input::Disconnected
                }
            };
            let now = self.now();
            if matches!(next, Input::Disconnected) {
                self.hang_up();
                todo.retain(|action| matches!(action, Action::Tell(_)));
            }
            todo.extend(self.machine.step(now, next).map_err(|refused| refused.to_string())?);
        }
        Ok(())
    }

    fn hang_up(&mut self) {
        if let Some(line) = self.line.take() {
            line.close();
        }
    }

    async fn connect(&mut self, timeout: Micros) -> bool {
        self.hang_up();
        self.inbox = Rc::default();
        let line = Line::dial(&self.world, &self.inbox);
        let until = self.world.now() + timeout;
        self.inbox.wait(&self.world, until).await;
        if matches!(self.inbox.take(), Some(FromLine::Connected)) {
            self.line = Some(line);
            true
        } else {
            line.close();
            false
        }
    }

    async fn read(&mut self, wait: Micros) -> Result<bool, String> {
        if self.line.is_none() {
            return Ok(false);
        }
        if wait > 0 {
            let until = self.world.now() + wait;
            let inbox = Rc::clone(&self.inbox);
            inbox.wait(&self.world, until).await;
        }
        match self.inbox.take() {
            Some(FromLine::Bytes(bytes)) => self.feed(Input::Bytes(&bytes)).await?,
            Some(FromLine::Disconnected) => {
                self.hang_up();
                self.feed(Input::Disconnected).await?;
            }
            Some(FromLine::Connected) | None => return Ok(false),
        }
        Ok(true)
    }

    async fn beat(&mut self, report: &Report) -> Result<Vec<Event>, String> {
        let begun = self.world.now();
        if self.machine.awaits_answer() {
            while self.read(0).await? && self.machine.awaits_answer() {}
        }
        self.feed(Input::Report(report)).await?;
        self.feed(Input::Tick).await?;
        while self.machine.awaits_answer() && self.events.is_empty() {
            let left = (begun + POLL).saturating_sub(self.world.now());
            if left == 0 {
                break;
            }
            self.read(left).await?;
        }
        Ok(std::mem::take(&mut self.events))
    }

    fn due(&self) -> Micros {
        if self.machine.awaits_answer() {
            return 0;
        }
        let due = self.machine.due().map(|at| at.saturating_duration_since(self.now()));
        due.map_or(TURN_MAX, |left| u64::try_from(left.as_micros()).unwrap()).min(TURN_MAX)
    }

    async fn leave(&mut self, how: Leave) {
        let begun = self.world.now();
        let mut going = self.feed(Input::Leave(how)).await.is_ok();
        while going && self.machine.state() != StateKind::Ended && self.world.now() - begun < LEAVE_TIMEOUT {
            going = self.read(POLL).await.is_ok()
                && (self.machine.state() == StateKind::Ended || self.feed(Input::Tick).await.is_ok());
        }
        self.hang_up();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Restoring { thread: usize },
    Running { thread: usize },
    Closing { thread: usize },
}

impl Slot {
    fn thread(self) -> usize {
        match self {
            Self::Restoring { thread } | Self::Running { thread } | Self::Closing { thread } => thread,
        }
    }
}

/// The instance.
pub(crate) struct Instance {
    pub(crate) world: Rc<World>,
    pub(crate) member: Member,
    pub(crate) shared: Rc<Shared>,
    pub(crate) threads: Vec<Rc<Inbox<ToThread>>>,
    pub(crate) restore: Rc<Inbox<RestoreRequest>>,
    pub(crate) inbox: Rc<Inbox<ToInstance>>,
    pub(crate) stays: bool,
    state: State,
}

#[derive(Default)]
struct State {
    slots: BTreeMap<TaskId, Slot>,
    incarnations: BTreeMap<TaskId, Incarnation>,
    target: Option<Target>,
    generation: i32,
    unacknowledged: BTreeSet<usize>,
    lost: bool,
    stop_by: Option<Micros>,
    asked_end: Micros,
}

/// What an instance is made of.
pub(crate) struct Parts {
    pub(crate) world: Rc<World>,
    pub(crate) member: Member,
    pub(crate) shared: Rc<Shared>,
    pub(crate) threads: Vec<Rc<Inbox<ToThread>>>,
    pub(crate) restore: Rc<Inbox<RestoreRequest>>,
    pub(crate) inbox: Rc<Inbox<ToInstance>>,
    /// A clean stop does not leave the group.
    pub(crate) stays: bool,
}

impl Instance {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { world, member, shared, threads, restore, inbox, stays } = parts;
        let state = State { generation: -1, ..State::default() };
        Self { world, member, shared, threads, restore, inbox, stays, state }
    }

    /// Runs until a stop is asked for or the process must end. Returns whether it stopped cleanly.
    pub(crate) async fn run(mut self) -> bool {
        loop {
            let until = self.world.now() + self.member.due();
            let inbox = Rc::clone(&self.inbox);
            inbox.wait(&self.world, until).await;
            while let Some(message) = self.inbox.take() {
                self.take(message);
            }
            step(&self.world).await;
            if self.shared.fatal().is_some() {
                return false;
            }
            if self.shared.is_stopping()
                && let Some(clean) = self.stopping().await
            {
                return clean;
            }
            self.beat().await;
            self.watch();
        }
    }

    fn take(&mut self, message: ToInstance) {
        match message {
            ToInstance::Restored(owned) => {
                let (task, incarnation) = (owned.task.id(), owned.incarnation);
                let wanted = self.shared.owns(task, incarnation);
                match self.state.slots.get(&task).copied() {
                    Some(Slot::Restoring { thread }) if wanted => {
                        self.threads[thread].push(&self.world, ToThread::Open(owned));
                        self.state.slots.insert(task, Slot::Running { thread });
                    }
                    _ => {
                        owned.close(&self.world);
                        self.released(task, incarnation);
                    }
                }
            }
            ToInstance::RestoreCancelled(task, incarnation) | ToInstance::Closed(task, incarnation) => {
                self.released(task, incarnation);
            }
            ToInstance::LossAcknowledged(thread) => {
                self.state.unacknowledged.remove(&thread);
            }
        }
    }

    fn released(&mut self, task: TaskId, incarnation: Incarnation) {
        if self.state.incarnations.get(&task) != Some(&incarnation) {
            return;
        }
        self.state.slots.remove(&task);
        self.state.incarnations.remove(&task);
        self.shared.ownership.borrow_mut().release(task);
        self.reconcile();
    }

    async fn beat(&mut self) {
        let dropped = self.state.unacknowledged.is_empty() && self.state.slots.is_empty();
        let too_early = is(Mutant::LossKeepsTasks) || is(Mutant::NewFenceBeforeDropped);
        if self.state.lost && (dropped || too_early) {
            self.shared.ownership.borrow_mut().acknowledged();
            if let Err(error) = self.member.feed(Input::AcknowledgeLost).await {
                self.shared.fail(&self.world, error);
            }
            self.state.lost = false;
        }
        let report = Report { generation: self.state.generation, active: self.held(), ..Report::default() };
        match self.member.beat(&report).await {
            Ok(events) => {
                if let Some((at, session)) = self.member.machine.confirmed() {
                    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap();
                    let at = at.saturating_duration_since(self.member.start);
                    self.shared.confirm(micros(at), micros(session));
                }
                events.into_iter().for_each(|event| self.event(event));
            }
            Err(error) => self.shared.fail(&self.world, format!("group membership: {error}")),
        }
    }

    fn held(&self) -> BTreeSet<TaskId> {
        let is_held = |slot: &Slot| !(is(Mutant::ReportedReleased) && matches!(slot, Slot::Closing { .. }));
        self.state.slots.iter().filter(|(_, slot)| is_held(slot)).map(|(task, _)| *task).collect()
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Target(target) => {
                note!(self.world, "target of generation {}: {:?}", target.fence.generation(), target.active);
                self.state.generation = target.fence.generation();
                self.shared.ownership.borrow_mut().fence(target.fence.clone());
                self.state.target = Some(target);
                self.reconcile();
            }
            Event::Fence(fence) => {
                self.state.generation = fence.generation();
                self.shared.ownership.borrow_mut().fence(fence);
                self.reconcile();
            }
            Event::Hold(held) => self.shared.set_hold(held.then(|| self.world.now())),
            Event::Lost(Why::FencedInstance) => {
                self.shared.fail(&self.world, "another live process uses this instance id".to_owned());
            }
            Event::Lost(why) => self.lose(why),
            Event::Blocked(_) => {}
        }
    }

    fn lose(&mut self, why: Why) {
        note!(self.world, "membership lost: {why}");
        self.shared.lose();
        self.state.lost = true;
        self.state.target = None;
        self.state.generation = -1;
        self.state.unacknowledged = (0..self.threads.len()).collect();
        for thread in &self.threads {
            thread.push(&self.world, ToThread::Lost);
        }
        let is_restoring = |slot: &Slot| matches!(slot, Slot::Restoring { .. });
        if is(Mutant::NewFenceBeforeDropped) {
            self.state.slots.retain(|_, slot| is_restoring(slot));
            let State { slots, incarnations, .. } = &mut self.state;
            incarnations.retain(|task, _| slots.contains_key(task));
        }
        if is(Mutant::NewFenceBeforeDropped) || is(Mutant::LossKeepsTasks) {
            let slots = self.state.slots.iter().filter(|(_, slot)| is_restoring(slot));
            let tasks: Vec<TaskId> = slots.map(|(task, _)| *task).collect();
            tasks.into_iter().for_each(|task| self.give_up(task));
        }
    }

    fn reconcile(&mut self) {
        let Some(target) = self.state.target.clone() else { return };
        let stopping = self.shared.is_stopping();
        let surplus = |task: &TaskId| stopping || !target.active.contains(task);
        let surplus: Vec<TaskId> = self.state.slots.keys().copied().filter(surplus).collect();
        for task in surplus {
            self.give_up(task);
        }
        if stopping {
            return;
        }
        for &task in &target.active {
            if !self.state.slots.contains_key(&task) {
                self.acquire(task, &target);
            }
        }
    }

    fn acquire(&mut self, task: TaskId, target: &Target) {
        let incarnation = self.shared.ownership.borrow_mut().acquire(task);
        self.state.incarnations.insert(task, incarnation);
        let load = |thread: usize| self.state.slots.values().filter(|slot| slot.thread() == thread).count();
        let thread = (0..self.threads.len()).min_by_key(|&thread| load(thread)).unwrap_or(0);
        self.state.slots.insert(task, Slot::Restoring { thread });
        let generation = target.fence.generation();
        let (live, dead): (Vec<_>, Vec<_>) =
            target.producers.iter().partition(|producer| producer.generation == generation);
        let ids = |of: Vec<&Producer>| of.iter().flat_map(|p| p.transactional_ids.iter().cloned()).collect();
        let request = RestoreRequest { task, incarnation, dead_ids: ids(dead), live_ids: ids(live) };
        self.restore.push(&self.world, request);
    }

    fn give_up(&mut self, task: TaskId) {
        match self.state.slots.get(&task).copied() {
            Some(Slot::Running { thread }) => {
                if let Some(incarnation) = self.state.incarnations.get(&task) {
                    self.threads[thread].push(&self.world, ToThread::Close(task, *incarnation));
                }
                self.state.slots.insert(task, Slot::Closing { thread });
                if is(Mutant::ReleaseBeforeClosed) && !self.shared.is_stopping() {
                    self.state.slots.remove(&task);
                    self.state.incarnations.remove(&task);
                    self.shared.ownership.borrow_mut().release(task);
                }
            }
            Some(Slot::Restoring { thread }) => {
                self.shared.ownership.borrow_mut().release(task);
                self.state.slots.insert(task, Slot::Closing { thread });
            }
            Some(Slot::Closing { .. }) | None => {}
        }
    }

    async fn stopping(&mut self) -> Option<bool> {
        let by = *self.state.stop_by.get_or_insert(self.world.now() + SHUTDOWN_TIMEOUT);
        let tasks: Vec<TaskId> = self.state.slots.keys().copied().collect();
        for task in tasks {
            self.give_up(task);
        }
        let late = self.world.now() >= by;
        if !self.state.slots.is_empty() && !late {
            return None;
        }
        self.member.leave(if self.stays { Leave::Back } else { Leave::Gone }).await;
        for thread in &self.threads {
            thread.push(&self.world, ToThread::Stop);
        }
        Some(!late)
    }

    /// Asks for the stable ends of changelogs now and then; as `src/runtime/watch.rs`.
    fn watch(&mut self) {
        if self.world.scenario.stalls_any || self.world.now() < self.state.asked_end {
            return;
        }
        self.state.asked_end = self.world.now() + self.world.between(100 * MS, 2000 * MS);
        for (&task, slot) in &self.state.slots {
            let Slot::Running { thread } = *slot else { continue };
            let (world, inbox) = (Rc::clone(&self.world), Rc::clone(&self.threads[thread]));
            let group = world.executor.current_group();
            self.world.executor.spawn(group, async move {
                if let Some(end) = super::restore::changelog_end(&world, task).await {
                    inbox.push(&world, ToThread::ChangelogEnd(task, end));
                }
            });
        }
    }
}
