//! A stream thread: fetch, process, commit, apply; the owner of its tasks, consumer and producer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use millpond_topology::{ProcessError, RawRecord, TaskError, TaskId};

use super::lane::Lane;
use super::lane_outcome::Outcome;
use super::messages::{ToInstance, ToThread};
use super::observe::Observer;
use super::owned_task::OwnedTask;
use super::settings::Settings;
use super::shared::Shared;
use super::thread_error::ThreadError;
use crate::engine::{Class, Incarnation, Pending, Phase};
use crate::kafka::{Consumer, Flow, MESSAGE_OVERHEAD, Message, classify, code, loses_records};

/// Records per fetch from the queue.
const FETCH_MAX: usize = 1000;
/// Records that a task processes before the next task has its turn.
const SLICE: usize = 500;
/// Records buffered per input at which the partition is taken off the queue; put back at half.
const BUFFER_MAX: usize = 20_000;
/// Longest wait for a record.
const WAIT_MAX: Duration = Duration::from_millis(20);
/// Wait after a processor asked for a retry, or before a task that cannot be read yet is tried again.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// The thread's state.
pub(crate) struct StreamThread {
    name: String,
    number: usize,
    settings: Settings,
    pub(super) shared: Arc<Shared>,
    inbox: Receiver<ToThread>,
    instance: Sender<ToInstance>,
    pub(super) lane: Lane,
    pub(super) tasks: Vec<OwnedTask>,
    /// Restored tasks that join with the next transaction.
    joining: Vec<OwnedTask>,
    routes: HashMap<(String, i32), (usize, usize)>,
    fetched: Vec<Message>,
    /// When the open transaction got its first content.
    since: Option<Duration>,
    /// Most records of the next transaction; below the maximum while a record that Kafka refuses is looked for.
    pub(super) records_max: usize,
    /// The only task that works meanwhile.
    pub(super) suspect: usize,
    /// The input whose refused record is being replaced by its dead letter.
    pub(super) rejecting: Option<String>,
    /// No record was to blame: punctuators get a transaction of their own next.
    pub(super) punctuators_alone: bool,
    /// Records in the transaction that is being committed.
    pub(super) committing: usize,
    retry_at: Option<Instant>,
    /// When tasks that could not be read yet are tried again.
    join_at: Option<Instant>,
    observer: Observer,
    consumer: Consumer,
}

/// What a thread is built from.
pub(crate) struct ThreadParts {
    /// Name, for logs and stamps.
    pub name: String,
    /// Number, from 0.
    pub number: usize,
    /// Messages to the thread.
    pub inbox: Receiver<ToThread>,
    /// Messages to the instance.
    pub instance: Sender<ToInstance>,
    /// Its producer.
    pub lane: Lane,
    /// Its consumer.
    pub consumer: Consumer,
    /// Its metrics.
    pub observer: Observer,
}

impl StreamThread {
    /// Returns a thread without tasks.
    #[must_use]
    pub(crate) fn new(parts: ThreadParts, settings: Settings, shared: Arc<Shared>) -> Self {
        let ThreadParts { name, number, inbox, instance, lane, consumer, observer } = parts;
        Self {
            name,
            number,
            settings,
            shared,
            inbox,
            instance,
            lane,
            tasks: Vec::new(),
            joining: Vec::new(),
            routes: HashMap::new(),
            fetched: Vec::new(),
            since: None,
            records_max: usize::MAX,
            suspect: 0,
            rejecting: None,
            punctuators_alone: false,
            committing: 0,
            retry_at: None,
            join_at: None,
            observer,
            consumer,
        }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// [`ThreadError`] ends the process.
    pub(crate) fn run(mut self) -> Result<(), ThreadError> {
        loop {
            self.shared.stamp(&self.name);
            if self.messages()? {
                break;
            }
            if self.lane.notice_loss() {
                self.lose()?;
            }
            self.lane.recover()?;
            self.join()?;
            self.fetch()?;
            self.process()?;
            self.observer.positions(&self.tasks);
            self.commit_if_due()?;
            if self.since.is_none() && !self.tasks.iter().any(has_next) {
                self.lane.rests();
            }
            self.flush_stores()?;
            self.observer.publish(self.lane.phase());
            self.observer.stores(&self.tasks);
        }
        self.shared.unstamp(&self.name);
        Ok(())
    }

    fn messages(&mut self) -> Result<bool, ThreadError> {
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                ToThread::Open(task) => self.joining.push(*task),
                ToThread::Close(task, incarnation) => self.close(task, incarnation)?,
                ToThread::ChangelogEnd { task, last_stable } => {
                    if let Some(owned) = self.tasks.iter_mut().find(|owned| owned.task.id() == task) {
                        owned.position.answered(last_stable);
                    }
                }
                ToThread::Lost => {
                    self.lose()?;
                    let _ = self.instance.send(ToInstance::LossAcknowledged(self.number));
                }
                ToThread::Stop => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Takes restored tasks in, between transactions; those whose topics no broker tells of yet are tried again.
    fn join(&mut self) -> Result<(), ThreadError> {
        let too_early = self.join_at.is_some_and(|at| Instant::now() < at);
        if !self.joining.is_empty() && !too_early {
            self.give_up_empty()?;
        }
        if self.joining.is_empty() || too_early || self.lane.phase() != Phase::Idle {
            return Ok(());
        }
        self.join_at = None;
        while let Some(owned) = self.joining.pop() {
            let id = owned.task.id();
            if !self.shared.owns(id, owned.incarnation) {
                self.forget(owned)?;
                continue;
            }
            let positions = owned.start_positions();
            match self.consumer.add(&positions) {
                Ok(()) => {}
                Err(error) if classify(&error) == Class::Stop => {
                    return Err(ThreadError::Consumer { what: format!("start reading task {id}"), error });
                }
                Err(error) => {
                    tracing::warn!(thread = %self.name, task = %id, %error, "the task cannot be read yet");
                    self.shared.board().notes.insert("join", format!("task {id}: {error}"));
                    // The others have their turn first. Each try takes seconds: messages are looked at between.
                    self.joining.insert(0, owned);
                    self.join_at = Some(Instant::now() + RETRY_WAIT);
                    break;
                }
            }
            tracing::info!(thread = %self.name, task = %id, "task runs");
            self.observer.opened(&owned);
            self.tasks.push(owned);
        }
        if self.joining.is_empty() {
            self.shared.board().notes.remove("join");
        }
        self.route();
        Ok(())
    }

    fn route(&mut self) {
        self.routes.clear();
        for (at, owned) in self.tasks.iter().enumerate() {
            for (index, input) in owned.inputs.iter().enumerate() {
                let partition = i32::try_from(input.partition).unwrap_or(-1);
                self.routes.insert((input.topic.clone(), partition), (at, index));
            }
        }
        self.observer.reset_tags();
    }

    /// Commits what is open and gives a task up. A task that is no longer here was reported when it was dropped.
    fn close(&mut self, task: TaskId, incarnation: Incarnation) -> Result<(), ThreadError> {
        let wanted = |owned: &OwnedTask| owned.task.id() == task && owned.incarnation == incarnation;
        if let Some(at) = self.joining.iter().position(wanted) {
            let owned = self.joining.remove(at);
            return self.forget(owned);
        }
        if !self.tasks.iter().any(wanted) {
            return Ok(());
        }
        self.commit()?;
        self.give_up_empty()?;
        match self.tasks.iter().position(wanted) {
            Some(at) => {
                let mut owned = self.remove(at)?;
                // An aborted last transaction leaves content that the next owner produces anew.
                owned.rollback();
                self.forget(owned)
            }
            None => Ok(()),
        }
    }

    /// Ends an open transaction that nothing is in: its members are fixed, and content may be long in coming.
    fn give_up_empty(&mut self) -> Result<(), ThreadError> {
        if self.lane.phase() == Phase::Open && !self.tasks.iter().any(|owned| owned.task.is_dirty()) {
            let outcome = self.lane.spoil(Class::Abortable, &mut self.tasks)?;
            self.finish(&outcome)?;
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) -> Result<OwnedTask, ThreadError> {
        let owned = self.tasks.remove(at);
        let what = || format!("stop reading task {}", owned.task.id());
        let stopped = self.consumer.remove(&owned.inputs);
        stopped.map_err(|error| ThreadError::Consumer { what: what(), error })?;
        self.observer.closed(&owned);
        self.route();
        Ok(owned)
    }

    /// Flushes and closes a task's store and says that the task is free.
    fn forget(&mut self, owned: OwnedTask) -> Result<(), ThreadError> {
        let (id, incarnation) = (owned.task.id(), owned.incarnation);
        let closed = owned.close(self.shared.clock.now().wall_ms);
        closed.map_err(|source| ThreadError::Storage { task: id, source })?;
        tracing::info!(thread = %self.name, task = %id, "task closed");
        let _ = self.instance.send(ToInstance::Closed(id, incarnation));
        Ok(())
    }

    /// Drops everything at once: the group threw this process out.
    fn lose(&mut self) -> Result<(), ThreadError> {
        let outcome = self.lane.spoil(Class::Lost, &mut self.tasks)?;
        self.observer.outcome(&outcome, &self.tasks);
        self.since = None;
        while !self.tasks.is_empty() {
            let mut owned = self.remove(0)?;
            owned.rollback();
            self.forget(owned)?;
        }
        for owned in std::mem::take(&mut self.joining) {
            self.forget(owned)?;
        }
        Ok(())
    }

    fn fetch(&mut self) -> Result<(), ThreadError> {
        let now = self.shared.clock.now().monotonic;
        let busy = self.retry_at.is_none() && self.tasks.iter().any(has_next);
        let wait = match self.since {
            _ if busy => Duration::ZERO,
            Some(since) => {
                let due = since + self.settings.batching.interval;
                due.saturating_sub(now).clamp(Duration::from_millis(1), WAIT_MAX)
            }
            None => WAIT_MAX,
        };
        let begun = Instant::now();
        self.consumer.fetch(wait, FETCH_MAX, &mut self.fetched);
        if !busy {
            self.observer.idle(begun.elapsed());
        }
        let mut fetched = std::mem::take(&mut self.fetched);
        for message in fetched.drain(..) {
            self.take(message)?;
        }
        self.fetched = fetched;
        self.regulate();
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<(), ThreadError> {
        let Some((at, index)) = self.observer.route(&message, &self.routes) else { return Ok(()) };
        let Some(owned) = self.tasks.get_mut(at) else { return Ok(()) };
        match message.err() {
            0 => {
                owned.task.push(index, message);
            }
            code::PARTITION_EOF => owned.task.reached_end(index, message.offset()),
            code::AUTO_OFFSET_RESET => {
                let (topic, partition) = (message.topic(), message.partition());
                return Err(ThreadError::OutOfRange { topic, partition, text: message.error_text() });
            }
            failed if loses_records(failed) => {
                let (topic, partition) = (message.topic(), message.partition());
                let (offset, text) = (message.offset(), message.error_text());
                return Err(ThreadError::Unreadable { topic, partition, offset, text });
            }
            _ => tracing::warn!(thread = %self.name, error = %message.error_text(), "consumer"),
        }
        Ok(())
    }

    /// Takes partitions whose buffer is full off the queue and puts them back at half.
    fn regulate(&mut self) {
        for owned in &mut self.tasks {
            for (index, input) in owned.inputs.iter().enumerate() {
                let Some(state) = owned.task.input(index) else { continue };
                let held = state.waiting + state.held;
                let bytes_max = self.settings.buffer_bytes;
                let records_max = (bytes_max / MESSAGE_OVERHEAD).min(BUFFER_MAX);
                if held >= records_max || state.bytes >= bytes_max {
                    self.consumer.set_flow(input, Flow::Off);
                } else if held <= records_max / 2 && state.bytes <= bytes_max / 2 {
                    self.consumer.set_flow(input, Flow::On);
                }
                // The end that the last fetch reported saves the wait for the end-of-partition event.
                if owned.inputs.len() > 1 && owned.task.awaits(index) && state.next_offset >= 0 {
                    let end = self.consumer.cached_end(input);
                    if end == Some(state.next_offset) {
                        owned.task.reached_end(index, state.next_offset);
                    }
                }
            }
        }
    }

    fn process(&mut self) -> Result<(), ThreadError> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        self.retry_at = None;
        self.pass_over_idle_suspects();
        if std::mem::take(&mut self.punctuators_alone) {
            return self.punctuate_alone();
        }
        let mut budget = self.records_max;
        let searching = self.records_max != usize::MAX;
        for at in 0..self.tasks.len() {
            if searching && at != self.suspect {
                continue;
            }
            let now = self.shared.clock.now();
            let Some(owned) = self.tasks.get(at) else { break };
            let wants = has_next(owned) || owned.task.is_dirty() || owned.task.has_punctuators();
            if wants && self.lane.phase() == Phase::Idle {
                let outcome = self.lane.begin(&mut self.tasks)?;
                self.finish(&outcome)?;
            }
            if self.lane.phase() != Phase::Open {
                continue;
            }
            let Some(owned) = self.tasks.get_mut(at) else { break };
            let begun = Instant::now();
            let result = owned.task.process(now, SLICE.min(budget)).and_then(|count| {
                // Never together with a record that is under suspicion.
                if !searching {
                    owned.task.punctuate(now)?;
                }
                Ok(count)
            });
            match result {
                Ok(count) => {
                    budget = budget.saturating_sub(count);
                    self.observer.processed(count, begun.elapsed(), owned.task.last_timestamp_ms());
                    if self.since.is_none() && owned.task.is_dirty() {
                        self.since = Some(now.monotonic);
                    }
                }
                Err(TaskError::Record { source: ProcessError::Retry { message }, .. }) => {
                    tracing::warn!(thread = %self.name, %message, "a processor asks for a retry");
                    self.retry_at = Some(Instant::now() + RETRY_WAIT);
                }
                Err(error) => return Err(error.into()),
            }
            if budget == 0 {
                return self.commit();
            }
        }
        Ok(())
    }

    fn pending(&self) -> Pending {
        let mut pending = Pending::default();
        for owned in &self.tasks {
            pending.has_effects |= owned.task.has_effects();
            pending.is_dirty |= owned.task.is_dirty();
            pending.rows += owned.task.pending_rows();
            pending.bytes += owned.task.pending_bytes();
            pending.waiting += usize::from(has_next(owned));
        }
        pending
    }

    fn commit_if_due(&mut self) -> Result<(), ThreadError> {
        let now = self.shared.clock.now().monotonic;
        let pending = self.pending();
        if pending.is_dirty && self.since.is_none() {
            self.since = Some(now);
        }
        let Some(since) = self.since else { return Ok(()) };
        if self.lane.phase() == Phase::Open && self.settings.batching.is_due(now, since, pending) {
            self.commit()?;
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), ThreadError> {
        if self.lane.phase() != Phase::Open || !self.tasks.iter().any(|owned| owned.task.is_dirty()) {
            return Ok(());
        }
        let begun = Instant::now();
        self.committing = self.tasks.iter().map(OwnedTask::processed).sum();
        let outcome = self.lane.commit(&mut self.tasks)?;
        self.observer.commit_took(begun.elapsed());
        self.finish(&outcome)
    }

    /// Does what the outcome of a transaction asks for.
    pub(super) fn finish(&mut self, outcome: &Outcome) -> Result<(), ThreadError> {
        self.observer.outcome(outcome, &self.tasks);
        if outcome.committed || outcome.aborted {
            self.since = None;
        }
        for &task in &outcome.dropped {
            if let Some(at) = self.tasks.iter().position(|owned| owned.task.id() == task) {
                let mut owned = self.remove(at)?;
                owned.rollback();
                self.forget(owned)?;
            }
        }
        if let Some(refused) = outcome.record_refused.filter(|_| outcome.dropped.is_empty()) {
            self.halve(refused)?;
        } else if outcome.committed && self.records_max != usize::MAX {
            // This part was innocent: the next task has its turn, and after the last one all work again.
            self.suspect += 1;
            if self.suspect >= self.tasks.len() {
                self.all_innocent();
            }
        }
        Ok(())
    }

    fn flush_stores(&mut self) -> Result<(), ThreadError> {
        let wall_ms = self.shared.clock.now().wall_ms;
        for owned in &mut self.tasks {
            let task = owned.task.id();
            let flushed = owned.flush_if_due(self.settings.flush_interval, self.settings.flush_rows, wall_ms);
            if flushed.map_err(|source| ThreadError::Storage { task, source })? {
                self.observer.flushed(owned);
            }
        }
        Ok(())
    }
}

/// Says whether a task has a record that it can process now.
pub(super) fn has_next(owned: &OwnedTask) -> bool {
    owned.waiting() > 0
}
