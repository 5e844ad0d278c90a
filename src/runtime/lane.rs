//! A producer with its commit machine: carries out what the machine decides.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use millpond_mutants::{Mutant, is};
use millpond_topology::{CHANGELOG_MARKER_KEY, TaskId};

use super::board::Wait;
use super::lane_error::{LaneError, refusal};
use super::lane_outcome::Outcome;
use super::owned_task::OwnedTask;
use super::past_ends::{Past, Written, await_ends};
use super::settings::Settings;
use super::shared::Shared;
use crate::engine::{Action, Class, Commit, Event, Judgement, Nonce, Phase, judge};
use crate::kafka::{CallError, Cluster, Position, Producer, classify};

/// Longest call of `send_offsets` that is asked for; librdkafka may overrun it by its socket timeout.
pub(super) const OFFSETS_TIMEOUT: Duration = Duration::from_secs(3);
/// One slice of a commit call; a retriable answer repeats it.
const COMMIT_SLICE: Duration = Duration::from_secs(2);
/// Wait between two attempts to get a new producer started.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// How long a read of the stable offsets waits before it is repeated.
const STABLE_PATIENCE: Duration = Duration::from_secs(2);

/// One producer of one stream thread.
pub(crate) struct Lane {
    pub(super) name: String,
    pub(super) producer: Option<Producer>,
    pub(super) commit: Commit,
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    cluster: Arc<Cluster>,
    pub(super) transactional_id: String,
    pub(super) warm_up_topic: String,
    losses: u64,
    /// Code of the last error of class `Record`.
    refused_code: i32,
    /// What the broker refused for good, with the cure.
    refusal: Option<String>,
    /// The last call did not return within its watchdog.
    pub(super) hung: bool,
    /// When the coordinator last said that another producer took this one's place.
    pub(super) fenced: Option<Instant>,
    /// What pins a partition that is to be written to, in words.
    pinned: Option<String>,
}

impl Lane {
    /// Creates and initialises the producer `transactional_id`; retried until the cluster answers or a stop is asked for.
    ///
    /// # Errors
    /// [`LaneError`] when that cannot work or the process is stopping.
    pub(crate) fn start(
        name: &str,
        transactional_id: String,
        warm_up_topic: String,
        settings: &Settings,
        context: (&Arc<Shared>, &Arc<Cluster>),
    ) -> Result<Self, LaneError> {
        let (shared, cluster) = (Arc::clone(context.0), Arc::clone(context.1));
        let mut lane = Self {
            name: name.to_owned(),
            producer: None,
            commit: Commit::new(settings.limits),
            settings: settings.clone(),
            losses: shared.losses(),
            refused_code: 0,
            refusal: None,
            hung: false,
            fenced: None,
            pinned: None,
            shared,
            cluster,
            transactional_id,
            warm_up_topic,
        };
        let begun = Instant::now();
        loop {
            lane.shared.stamp(thread::current().name().unwrap_or_default());
            // A process that must end fences nobody: another one may live with its ids.
            if lane.shared.fatal().is_some() || lane.shared.is_stopping() {
                return Err(LaneError::Stopping);
            }
            if lane.start_producer(begun)? {
                return Ok(lane);
            }
        }
    }

    /// Returns the phase of the commit machine.
    #[must_use]
    pub(crate) fn phase(&self) -> Phase {
        self.commit.phase()
    }

    fn now(&self) -> Duration {
        self.shared.clock.now().monotonic
    }

    /// Takes note of a loss of membership, once each; returns whether there was one.
    pub(crate) fn notice_loss(&mut self) -> bool {
        let losses = self.shared.losses();
        let lost = losses != self.losses;
        self.losses = losses;
        lost
    }

    /// Begins a transaction of `tasks`.
    ///
    /// # Errors
    /// [`LaneError`].
    pub(crate) fn begin(&mut self, tasks: &mut [OwnedTask]) -> Result<Outcome, LaneError> {
        // Nothing is begun without tasks (others could not join, and it could not be committed), by a process that was
        // thrown out, nor before its producer is replaced.
        if tasks.is_empty() || self.losses != self.shared.losses() || self.phase() != Phase::Idle {
            return Ok(Outcome::default());
        }
        let members: Vec<_> = tasks.iter().map(|task| task.member(&self.transactional_id)).collect();
        if let Some(member) = members.iter().find(|member| member.previous.as_ref() == Some(&member.nonce)) {
            return Err(LaneError::NonceRepeated { task: member.task, nonce: member.nonce.to_string() });
        }
        self.run(Event::Begin(members), tasks)
    }

    /// Commits the open transaction and carries everything out until the machine rests.
    ///
    /// # Errors
    /// [`LaneError`].
    pub(crate) fn commit(&mut self, tasks: &mut [OwnedTask]) -> Result<Outcome, LaneError> {
        self.run_waiting("the commit of a transaction", Event::Due, tasks)
    }

    fn run_waiting(
        &mut self,
        what: &str,
        event: Event,
        tasks: &mut [OwnedTask],
    ) -> Result<Outcome, LaneError> {
        self.waits(what);
        let outcome = self.run(event, tasks);
        if self.producer.is_some() {
            self.goes_on();
        }
        outcome
    }

    /// Notes on the board what the thread waits for, and since when it waits for anything.
    pub(super) fn waits(&self, what: &str) {
        let mut board = self.shared.board();
        let since = board.waits.get(&self.name).map_or_else(Instant::now, |wait| wait.since);
        board.waits.insert(self.name.clone(), Wait { since, what: what.to_owned() });
    }

    pub(super) fn goes_on(&self) {
        match &self.pinned {
            Some(pinned) => self.waits(pinned),
            None => drop(self.shared.board().waits.remove(&self.name)),
        }
    }

    /// Gives the open transaction up: its content is wrong, or this process lost its tasks.
    ///
    /// # Errors
    /// [`LaneError`].
    pub(crate) fn spoil(&mut self, class: Class, tasks: &mut [OwnedTask]) -> Result<Outcome, LaneError> {
        match self.phase() {
            Phase::Open => self.run_waiting("the end of a transaction", Event::Spoiled(class), tasks),
            _ => Ok(Outcome::default()),
        }
    }

    fn run(&mut self, event: Event, tasks: &mut [OwnedTask]) -> Result<Outcome, LaneError> {
        let mut outcome = Outcome::default();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut actions = self.step(event)?;
            if self.notice_loss() {
                let instead = self.step(Event::Lost)?;
                if !instead.is_empty() {
                    actions = instead;
                }
            }
            for action in actions {
                if let Some(next) = self.act(action, tasks, &mut outcome)? {
                    events.insert(0, next);
                }
            }
        }
        Ok(outcome)
    }

    pub(super) fn step(&mut self, event: Event) -> Result<Vec<Action>, LaneError> {
        let before = self.commit.phase();
        let actions = self.commit.step(self.now(), event)?;
        let after = self.commit.phase();
        if before != after {
            tracing::trace!(lane = %self.name, ?before, ?after, "commit");
        }
        Ok(actions)
    }

    fn act(
        &mut self,
        action: Action,
        tasks: &mut [OwnedTask],
        outcome: &mut Outcome,
    ) -> Result<Option<Event>, LaneError> {
        let event = match action {
            Action::BeginTransaction => match self.producer()?.begin() {
                Ok(()) => None,
                Err(error) => Some(Event::Spoiled(self.log("begin", &error))),
            },
            Action::Produce => Some(self.produce(tasks)),
            Action::SendOffsets(fence) => Some(self.send_offsets(fence, tasks)?),
            Action::Commit => self.call_commit()?,
            Action::Abort => Some(self.abort()?),
            Action::ReplaceProducer(reason) => {
                outcome.recycled.push(reason);
                self.retire(reason)?;
                self.replace_as_member()?
            }
            Action::Resolve => Some(Event::Resolved(self.resolve(tasks)?)),
            Action::Apply(kept) => {
                self.apply(&kept, tasks, outcome)?;
                Some(Event::Applied)
            }
            Action::Redo(kept) => Some(Self::redo(&kept, tasks, outcome)),
            Action::RedoHalved(kept) => {
                outcome.record_refused = Some(self.refused_code);
                Some(Self::redo(&kept, tasks, outcome))
            }
            Action::Drop(dropped) => {
                outcome.dropped.extend(dropped);
                (self.commit.phase() == Phase::Dropping).then_some(Event::RolledBack)
            }
            Action::Stop(why) => return Err(LaneError::Stop(self.refusal.take().unwrap_or(why))),
        };
        Ok(event)
    }

    fn producer(&mut self) -> Result<&mut Producer, LaneError> {
        self.producer.as_mut().ok_or(LaneError::NoProducer)
    }

    fn log(&mut self, call: &str, error: &CallError) -> Class {
        let class = classify(error);
        match class {
            Class::Stop => self.refusal = Some(refusal(call, error)),
            Class::Fenced => self.fenced = Some(Instant::now()),
            _ => {}
        }
        tracing::warn!(lane = %self.name, call, ?class, %error, "transaction call failed");
        class
    }

    /// Seals and produces everything of the dirty tasks and waits for the acknowledgements.
    fn produce(&mut self, tasks: &mut [OwnedTask]) -> Event {
        fail::fail_point!("txn::before_produce", |_| Event::Spoiled(Class::Abortable));
        if let Some(withheld) = self.await_past_ends(tasks) {
            return withheld;
        }
        let begun = Instant::now();
        let deadline = begun + self.settings.producer.transaction_timeout;
        let shared = Arc::clone(&self.shared);
        let Some(producer) = self.producer.as_mut() else { return Event::Spoiled(Class::RestartProducer) };
        let produced = queue(producer, tasks).and_then(|()| {
            producer.flush(deadline, || shared.stamp(thread::current().name().unwrap_or_default()))
        });
        match produced {
            Ok(()) => {
                fail::fail_point!("txn::after_produce", |_| Event::Spoiled(Class::Abortable));
                Event::Produced { took: begun.elapsed(), snapshot: self.shared.snapshot() }
            }
            Err(error) => {
                let class = self.log("produce", &error);
                if class == Class::Record {
                    self.refused_code = error.code;
                }
                Event::Spoiled(class)
            }
        }
    }

    /// Seals the dirty tasks and makes sure that no transaction of the past is open where they write to, and that none is
    /// committed that this process does not know of; returns what is to become of the transaction else.
    fn await_past_ends(&mut self, tasks: &mut [OwnedTask]) -> Option<Event> {
        let mut written = Written::default();
        for owned in tasks.iter_mut().filter(|owned| owned.task.is_dirty()) {
            written.partitions.insert((owned.changelog.clone(), owned.task.id().partition));
            written.inputs.extend(owned.inputs.iter().map(|input| (input.topic.clone(), input.partition)));
            let outputs = owned.task.seal().outputs();
            written.partitions.extend(outputs.map(|(topic, to, _)| (topic.to_owned(), to)));
        }
        let shared = Arc::clone(&self.shared);
        let stamp = || shared.stamp(thread::current().name().unwrap_or_default());
        if is(Mutant::LostEndTaken) {
            return None;
        }
        let what = match await_ends(&self.cluster, &written, stamp) {
            Ok(Past::Ended(committed)) => {
                self.pinned = None;
                let task = tasks.iter().find_map(|owned| owned.committed_by_another(&committed))?;
                tracing::warn!(
                    lane = %self.name,
                    %task,
                    "another transaction than this process knows of has committed the task: its tasks are restored anew"
                );
                return (!is(Mutant::CommittedUnchecked)).then_some(Event::Spoiled(Class::Lost));
            }
            Ok(Past::Open(pinned)) => format!(
                "{pinned}: a transaction of the past is open there and its coordinator does not end it. `millpond transactions \
                 show` says what becomes of it; do not abort it before"
            ),
            // A question failed, not the transaction.
            Err(error) if classify(&error) == Class::Stop => {
                return Some(Event::Spoiled(self.log("look for open transactions", &error)));
            }
            Err(error) => {
                thread::sleep(RETRY);
                format!("open transactions of the past cannot be looked for yet: {error}")
            }
        };
        if self.pinned.as_ref() != Some(&what) {
            tracing::warn!(lane = %self.name, "{what}");
        }
        self.pinned = Some(what);
        Some(Event::Withheld)
    }

    /// Takes note that nothing is to be written: nothing is waited for either.
    pub(crate) fn rests(&mut self) {
        if self.pinned.take().is_some() {
            self.goes_on();
        }
    }

    fn send_offsets(
        &mut self,
        fence: millpond_membership::Fence,
        tasks: &mut [OwnedTask],
    ) -> Result<Event, LaneError> {
        let mut offsets = Vec::new();
        let nonces: Vec<(TaskId, Nonce)> = self.nonces();
        for owned in tasks.iter_mut() {
            owned.position.offsets_being_sent();
            let Some(sealed) = owned.task.sealed() else { continue };
            let nonce =
                nonces.iter().find(|(task, _)| *task == sealed.task_id()).map(|(_, nonce)| nonce.to_string());
            for sent in sealed.offsets() {
                // librdkafka would silently drop a negative offset from the list.
                if sent.offset < 0 || nonce.is_none() {
                    return Err(LaneError::BadOffset {
                        topic: sent.topic,
                        partition: sent.partition,
                        offset: sent.offset,
                    });
                }
                let position = Position::new(&sent.topic, sent.partition, sent.offset);
                offsets.push(Position { metadata: nonce.clone(), ..position });
            }
        }
        if is(Mutant::EmptyOffsets) {
            offsets.clear();
        } else if offsets.is_empty() {
            // An empty list would commit unfenced.
            return Ok(Event::OffsetsReply { took: Duration::ZERO, result: Err(Class::Abortable) });
        }
        let watchdog = self.settings.producer.transaction_timeout + OFFSETS_TIMEOUT;
        self.producer()?.send_offsets(offsets, fence, OFFSETS_TIMEOUT);
        let event = self.reply("send_offsets", watchdog)?;
        fail::fail_point!("txn::after_send_offsets");
        Ok(event.map_or(Event::Expired, |(took, result)| Event::OffsetsReply { took, result }))
    }

    fn call_commit(&mut self) -> Result<Option<Event>, LaneError> {
        if self.commit.phase() == Phase::OffsetsSent {
            let actions = self.step(Event::CommitStarted)?;
            debug_assert!(actions.is_empty(), "starting a commit asks for nothing");
        }
        self.producer()?.commit(COMMIT_SLICE);
        fail::fail_point!("txn::end_txn_sent", |_| {
            // The request leaves within a fraction of a millisecond; the crash comes with or before its reply.
            thread::sleep(Duration::from_micros(400));
            panic!("failpoint txn::end_txn_sent")
        });
        let watchdog = self.settings.producer.transaction_timeout + COMMIT_SLICE;
        let event = self.reply("commit", watchdog)?;
        fail::fail_point!("txn::after_commit_reply");
        Ok(Some(event.map_or(Event::Expired, |(took, result)| Event::CommitReply { took, result })))
    }

    fn abort(&mut self) -> Result<Event, LaneError> {
        let patience = self.settings.producer.transaction_timeout;
        self.producer()?.abort(patience);
        let event = self.reply("abort", patience * 2)?;
        Ok(event.map_or(Event::Expired, |(took, result)| Event::AbortReply { took, result }))
    }

    /// Waits for the call that is out.
    #[expect(clippy::type_complexity, reason = "duration and result of one call, taken apart at once")]
    fn reply(
        &mut self,
        call: &str,
        watchdog: Duration,
    ) -> Result<Option<(Duration, Result<(), Class>)>, LaneError> {
        let shared = Arc::clone(&self.shared);
        let stamp = || shared.stamp(thread::current().name().unwrap_or_default());
        let reply = self.producer()?.reply(watchdog, stamp);
        self.hung = reply.is_none();
        Ok(reply.map(|reply| {
            if let Err(error) = &reply.result {
                self.log(call, error);
            }
            (reply.took, reply.class())
        }))
    }

    fn nonces(&self) -> Vec<(TaskId, Nonce)> {
        let members = self.commit.txn().map(|txn| txn.members.as_slice()).unwrap_or_default();
        members.iter().map(|member| (member.task, member.nonce.clone())).collect()
    }

    /// Reads what the stable committed offsets say of the unknown transaction.
    fn resolve(&mut self, tasks: &[OwnedTask]) -> Result<Judgement, LaneError> {
        let members = self.commit.txn().map(|txn| txn.members.clone()).unwrap_or_default();
        // Only tasks that wrote sent offsets.
        let wrote: Vec<_> = members
            .into_iter()
            .filter(|member| tasks.iter().any(|t| t.task.id() == member.task && t.task.sealed().is_some()))
            .collect();
        let ask: Vec<(&str, u32)> = tasks
            .iter()
            .filter(|owned| wrote.iter().any(|member| member.task == owned.task.id()))
            .filter_map(|owned| owned.inputs.first().map(|input| (input.topic.as_str(), input.partition)))
            .collect();
        self.waits("the committed offsets say how a transaction ended");
        loop {
            self.shared.stamp(thread::current().name().unwrap_or_default());
            match self.cluster.committed(&ask, STABLE_PATIENCE) {
                Ok(found) => {
                    let judgement = judge(&wrote, |task| {
                        let owned = tasks.iter().find(|owned| owned.task.id() == task)?;
                        let input = owned.inputs.first()?;
                        let same = |p: &&Position| p.topic == input.topic && p.partition == input.partition;
                        found.iter().find(same)?.metadata.as_ref()?.parse().ok()
                    });
                    tracing::info!(lane = %self.name, ?judgement, "unknown commit resolved");
                    return Ok(judgement);
                }
                Err(error) => {
                    tracing::warn!(lane = %self.name, %error, "committed offsets cannot be read yet")
                }
            }
            if self.shared.fatal().is_some() {
                return Err(LaneError::Stopping);
            }
            thread::sleep(RETRY);
        }
    }

    fn apply(
        &mut self,
        kept: &[TaskId],
        tasks: &mut [OwnedTask],
        outcome: &mut Outcome,
    ) -> Result<(), LaneError> {
        let nonces = self.nonces();
        let wall_ms = self.shared.clock.now().wall_ms;
        for owned in tasks.iter_mut().filter(|owned| kept.contains(&owned.task.id())) {
            let id = owned.task.id();
            let Some((_, nonce)) = nonces.iter().find(|(task, _)| *task == id) else { continue };
            if let Some(applied) = owned.apply(nonce.clone(), wall_ms)? {
                outcome.applied.push((id, applied));
            }
        }
        outcome.committed = true;
        Ok(())
    }

    fn redo(kept: &[TaskId], tasks: &mut [OwnedTask], outcome: &mut Outcome) -> Event {
        for owned in tasks.iter_mut().filter(|owned| kept.contains(&owned.task.id())) {
            owned.rollback();
        }
        outcome.aborted = true;
        Event::RolledBack
    }
}

/// Queues outputs and changelog of every dirty task, in runs per partition.
fn queue(producer: &mut Producer, tasks: &mut [OwnedTask]) -> Result<(), CallError> {
    for owned in tasks.iter_mut().filter(|owned| owned.task.is_dirty()) {
        let partition = owned.task.id().partition;
        let sealed = owned.task.seal();
        for (topic, partition, run) in sealed.outputs() {
            producer.produce_run(topic, partition, run)?;
        }
        let marker = (CHANGELOG_MARKER_KEY.as_slice(), Some(sealed.marker_bytes()));
        let rows = sealed.images().chain(std::iter::once(marker));
        producer.produce_changelog(&owned.changelog, partition, rows)?;
    }
    Ok(())
}
