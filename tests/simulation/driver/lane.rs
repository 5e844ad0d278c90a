//! A producer with its commit machine; as `src/runtime/lane.rs`.

use std::rc::Rc;
use std::time::Duration;

use millpond::engine::{
    Action, Class, Commit, Event, Judgement, Limits, Nonce, Phase, Reason, Snapshot, judge,
};
use millpond_membership::Fence;
use millpond_mutants::{Mutant, is};
use millpond_topology::{CHANGELOG_MARKER_KEY, OwnedRecord, TaskId};

use super::owned_task::OwnedTask;
use super::restore::changelog_end;
use super::shared::Shared;
use crate::broker::{Part, SentOffset, Topic};
use crate::executor::{MS, Micros, SECOND};
use crate::fleet::step;
use crate::network::{Api, call};
use crate::producer::{Producer, Said};
use crate::report::Fault;
use crate::world::{World, note};

const OFFSETS_TIMEOUT: Micros = 3 * SECOND;
const COMMIT_SLICE: Micros = 2 * SECOND;
const CONFIRM_POLL: Micros = 10 * MS;
const RETRY: Micros = 200 * MS;

/// What a lane did until its machine rested.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) committed: bool,
    pub(crate) aborted: bool,
    pub(crate) dropped: Vec<TaskId>,
    /// Kafka refused a record: redo with half as many.
    pub(crate) record_refused: bool,
}

/// One producer of one stream thread.
pub(crate) struct Lane {
    world: Rc<World>,
    shared: Rc<Shared>,
    producer: Option<Producer>,
    commit: Commit,
    id: String,
    losses: u64,
    /// When the coordinator last said that another producer took this one's place.
    fenced: Option<Micros>,
    /// What was owned when the transaction began; looked at by a wrong variant alone.
    began: Snapshot,
    /// Content that is to follow its offsets; filled by a wrong variant alone.
    late: Vec<(Part, Vec<OwnedRecord>)>,
}

fn duration(micros: Micros) -> Duration {
    Duration::from_micros(micros)
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Begin(_) => "Begin",
        Event::Due => "Due",
        Event::Spoiled(_) => "Spoiled",
        Event::Withheld => "Withheld",
        Event::Produced { .. } => "Produced",
        Event::OffsetsReply { result: Ok(()), .. } => "OffsetsReply",
        Event::OffsetsReply { .. } => "OffsetsReply error",
        Event::CommitStarted => "CommitStarted",
        Event::CommitReply { result: Ok(()), .. } => "CommitReply",
        Event::CommitReply { result: Err(Class::Retriable), .. } => "CommitReply again",
        Event::CommitReply { .. } => "CommitReply error",
        Event::AbortReply { result: Ok(()), .. } => "AbortReply",
        Event::AbortReply { .. } => "AbortReply error",
        Event::Expired => "Expired",
        Event::ProducerReplaced => "ProducerReplaced",
        Event::Resolved(_) => "Resolved",
        Event::Applied => "Applied",
        Event::RolledBack => "RolledBack",
        Event::Lost => "Lost",
    }
}

impl Lane {
    pub(crate) async fn start(world: &Rc<World>, shared: &Rc<Shared>, id: String) -> Result<Self, String> {
        let timeout = world.scenario.transaction_timeout;
        let limits = Limits {
            impure_after: Duration::from_millis(80),
            commit_deadline: duration(timeout / 2),
            fenced_twice_within: duration(timeout),
        };
        let mut lane = Self {
            world: Rc::clone(world),
            shared: Rc::clone(shared),
            producer: None,
            commit: Commit::new(limits),
            id,
            losses: shared.losses(),
            fenced: None,
            began: Snapshot::default(),
            late: Vec::new(),
        };
        loop {
            if lane.shared.fatal().is_some() || lane.shared.is_stopping() {
                return Err(STOPPING.to_owned());
            }
            if lane.start_producer().await? {
                break;
            }
        }
        Ok(lane)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.commit.phase()
    }

    pub(crate) fn notice_loss(&mut self) -> bool {
        let losses = self.shared.losses();
        std::mem::replace(&mut self.losses, losses) != losses
    }

    pub(crate) async fn begin(&mut self, tasks: &mut [OwnedTask]) -> Result<Outcome, String> {
        if tasks.is_empty() || self.losses != self.shared.losses() || self.phase() != Phase::Idle {
            return Ok(Outcome::default());
        }
        let members: Vec<_> = tasks.iter().map(|task| task.member(&self.id)).collect();
        if let Some(member) = members.iter().find(|member| member.previous.as_ref() == Some(&member.nonce)) {
            return Err(format!("task {} would repeat nonce {}", member.task, member.nonce));
        }
        self.late.clear();
        self.began = self.shared.ownership.borrow().snapshot().clone();
        self.run(Event::Begin(members), tasks).await
    }

    pub(crate) async fn commit(&mut self, tasks: &mut [OwnedTask]) -> Result<Outcome, String> {
        self.run(Event::Due, tasks).await
    }

    pub(crate) async fn spoil(&mut self, class: Class, tasks: &mut [OwnedTask]) -> Result<Outcome, String> {
        match self.phase() {
            Phase::Open => self.run(Event::Spoiled(class), tasks).await,
            _ => Ok(Outcome::default()),
        }
    }

    async fn run(&mut self, event: Event, tasks: &mut [OwnedTask]) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut actions = self.step(event)?;
            // Another thread may take the membership away at any point.
            self.world.sleep(self.world.scenario.step_time).await;
            if self.notice_loss() {
                let instead = self.step(Event::Lost)?;
                if !instead.is_empty() {
                    actions = instead;
                }
            }
            for action in actions {
                if let Some(next) = self.act(action, tasks, &mut outcome).await? {
                    events.insert(0, next);
                }
            }
        }
        Ok(outcome)
    }

    fn step(&mut self, event: Event) -> Result<Vec<Action>, String> {
        let before = self.commit.phase();
        let named = name(&event);
        if let Event::Spoiled(Class::Fenced)
        | Event::OffsetsReply { result: Err(Class::Fenced), .. }
        | Event::CommitReply { result: Err(Class::Fenced), .. }
        | Event::AbortReply { result: Err(Class::Fenced), .. } = event
        {
            self.fenced = Some(self.world.now());
        }
        let actions =
            self.commit.step(duration(self.world.now()), event).map_err(|error| error.to_string())?;
        let after = self.commit.phase();
        self.world.tally.borrow_mut().edges.take((before.label(), named, after.label()));
        note!(self.world, "{}: {before:?} {named} -> {after:?}", self.id);
        Ok(actions)
    }

    async fn act(
        &mut self,
        action: Action,
        tasks: &mut [OwnedTask],
        outcome: &mut Outcome,
    ) -> Result<Option<Event>, String> {
        let event = match action {
            Action::BeginTransaction => {
                self.producer()?.begin();
                None
            }
            Action::Produce => Some(self.produce(tasks).await?),
            Action::SendOffsets(fence) => Some(self.send_offsets(fence, tasks).await?),
            Action::Commit => Some(self.call_commit(tasks).await?),
            Action::Abort => {
                let patience = self.world.scenario.transaction_timeout;
                let (took, result) = self.producer()?.abort(patience).await;
                if self.hangs(patience * 2).await {
                    Some(Event::Expired)
                } else {
                    Some(Event::AbortReply { took: duration(took), result })
                }
            }
            Action::ReplaceProducer(reason) => {
                self.world.tally.borrow_mut().recycled += 1;
                note!(self.world, "{}: producer is replaced: {}", self.id, reason.label());
                if reason == Reason::Unknown {
                    self.world.tally.borrow_mut().resolved += 1;
                }
                self.producer = None;
                self.replace_as_member().await?
            }
            Action::Resolve => Some(Event::Resolved(self.resolve(tasks).await?)),
            Action::Apply(kept) => {
                self.apply(&kept, tasks, outcome).await?;
                Some(Event::Applied)
            }
            Action::Redo(ref kept) | Action::RedoHalved(ref kept) => {
                outcome.record_refused |= matches!(action, Action::RedoHalved(_));
                for owned in tasks.iter_mut().filter(|owned| kept.contains(&owned.task.id())) {
                    owned.rollback();
                }
                outcome.aborted = true;
                self.world.tally.borrow_mut().aborts += 1;
                Some(Event::RolledBack)
            }
            Action::Drop(dropped) => {
                outcome.dropped.extend(dropped);
                (self.commit.phase() == Phase::Dropping).then_some(Event::RolledBack)
            }
            Action::Stop(why) => return Err(why),
        };
        Ok(event)
    }

    fn producer(&mut self) -> Result<&mut Producer, String> {
        self.producer.as_mut().ok_or_else(|| "no producer is running".to_owned())
    }

    async fn produce(&mut self, tasks: &mut [OwnedTask]) -> Result<Event, String> {
        let until = self.world.now() + self.world.scenario.transaction_timeout;
        let mut batches: Vec<(Part, Vec<OwnedRecord>)> = Vec::new();
        for owned in tasks.iter_mut().filter(|owned| owned.task.is_dirty()) {
            let changelog = owned.part(Topic::Changelog);
            let sealed = owned.task.seal();
            for (topic, partition, run) in sealed.outputs().filter(|(_, _, run)| !run.is_empty()) {
                let part = Part { topic: Topic::of(topic), partition };
                let records = run.iter().map(|view| OwnedRecord {
                    timestamp_ms: view.timestamp_ms(),
                    value: view.value().map(<[u8]>::to_vec),
                    headers: view
                        .headers()
                        .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                        .collect(),
                    ..OwnedRecord::default()
                });
                batches.push((part, records.collect()));
            }
            let marker = (CHANGELOG_MARKER_KEY.as_slice(), Some(sealed.marker_bytes()));
            let rows = sealed.images().chain(std::iter::once(marker)).map(|(key, value)| OwnedRecord {
                key: Some(key.to_vec()),
                value: value.map(<[u8]>::to_vec),
                ..OwnedRecord::default()
            });
            batches.push((changelog, rows.collect()));
        }
        self.world.scenario.damage.iter().for_each(|damage| damage.spoil(&mut batches));
        if is(Mutant::OffsetsBeforeFlush) {
            self.late = batches;
            let snapshot = self.shared.snapshot(&self.world).await;
            return Ok(Event::Produced { took: Duration::ZERO, snapshot });
        }
        let begun = self.world.now();
        match self.producer()?.produce(batches, until).await {
            Ok(()) => {
                let took = duration(self.world.now() - begun);
                let mut snapshot = self.shared.snapshot(&self.world).await;
                if is(Mutant::FenceAtBegin) {
                    snapshot.fence = self.began.fence.clone();
                }
                Ok(Event::Produced { took, snapshot })
            }
            Err(class) => Ok(Event::Spoiled(class)),
        }
    }

    async fn send_offsets(&mut self, fence: Fence, tasks: &mut [OwnedTask]) -> Result<Event, String> {
        let nonces = self.nonces();
        let mut offsets = Vec::new();
        for owned in tasks.iter_mut() {
            if is(Mutant::AnswerMidTransaction)
                && let Some(end) = changelog_end(&self.world, owned.task.id()).await
            {
                owned.position.answered(end);
            }
            owned.position.offsets_being_sent();
            let Some(sealed) = owned.task.sealed() else { continue };
            let nonce = nonces.iter().find(|(task, _)| *task == sealed.task_id());
            let Some((_, nonce)) = nonce else {
                return Err("a task outside the transaction wrote".to_owned());
            };
            for sent in sealed.offsets() {
                if sent.offset < 0 {
                    return Err(format!("offset {} cannot be committed", sent.offset));
                }
                let part = Part { topic: Topic::of(&sent.topic), partition: sent.partition };
                let offset =
                    self.world.scenario.damage.map_or(sent.offset, |damage| damage.offset(sent.offset));
                offsets.push(SentOffset { part, offset, metadata: nonce.to_string() });
            }
        }
        if is(Mutant::EmptyOffsets) {
            // Unchanged offsets are left out, and nothing is sent when none is left.
            let applied = |sent: &SentOffset| {
                let owned = tasks.iter().find(|owned| owned.task.id().partition == sent.part.partition)?;
                let at = owned.fetched.iter().position(|(part, _)| *part == sent.part)?;
                owned.task.input(at).map(|input| input.applied_offset)
            };
            offsets.retain(|sent| applied(sent) != Some(sent.offset));
            if offsets.is_empty() {
                return Ok(Event::OffsetsReply { took: Duration::ZERO, result: Ok(()) });
            }
        }
        if is(Mutant::OffsetsOutside) {
            return Ok(Event::OffsetsReply { took: Duration::ZERO, result: Ok(()) });
        }
        if offsets.is_empty() {
            return Ok(Event::OffsetsReply { took: Duration::ZERO, result: Err(Class::Abortable) });
        }
        let (took, mut result) = self.producer()?.send_offsets(offsets, fence, OFFSETS_TIMEOUT).await;
        let late = std::mem::take(&mut self.late);
        if !late.is_empty() && result.is_ok() {
            let until = self.world.now() + self.world.scenario.transaction_timeout;
            result = self.producer()?.produce(late, until).await;
        }
        if self.hangs(self.world.scenario.transaction_timeout + OFFSETS_TIMEOUT).await {
            return Ok(Event::Expired);
        }
        Ok(Event::OffsetsReply { took: duration(took), result })
    }

    /// The call does not return, whatever it did: the watchdog ends the wait.
    async fn hangs(&self, watchdog: Micros) -> bool {
        let hangs = self.world.fault(Fault::Hang, self.world.scenario.hang);
        if hangs {
            self.world.sleep(watchdog).await;
        }
        hangs
    }

    async fn call_commit(&mut self, tasks: &[OwnedTask]) -> Result<Event, String> {
        if self.commit.phase() == Phase::OffsetsSent {
            self.step(Event::CommitStarted)?;
        }
        let (took, result): Said = self.producer()?.commit(COMMIT_SLICE).await;
        if self.hangs(self.world.scenario.transaction_timeout + COMMIT_SLICE).await {
            return Ok(Event::Expired);
        }
        if is(Mutant::OffsetsOutside) && result.is_ok() {
            self.commit_offsets_outside(tasks).await;
        }
        Ok(Event::CommitReply { took: duration(took), result })
    }

    /// What a consumer's own commit would do.
    async fn commit_offsets_outside(&self, tasks: &[OwnedTask]) {
        let nonces = self.nonces();
        let mut offsets = Vec::new();
        for sealed in tasks.iter().filter_map(|owned| owned.task.sealed()) {
            let nonce = nonces.iter().find(|(task, _)| *task == sealed.task_id());
            let metadata = nonce.map(|(_, nonce)| nonce.to_string()).unwrap_or_default();
            for sent in sealed.offsets() {
                let part = Part { topic: Topic::of(&sent.topic), partition: sent.partition };
                offsets.push((part, (sent.offset, metadata.clone())));
            }
        }
        let write = move |world: &Rc<World>| world.broker.borrow_mut().offsets.committed.extend(offsets);
        call(&self.world, Api::TxnOffsets, SECOND, write).await;
    }

    async fn replace_as_member(&mut self) -> Result<Option<Event>, String> {
        loop {
            if self.shared.fatal().is_some() {
                return Err(STOPPING.to_owned());
            }
            let idle = self.commit.phase() == Phase::Recycling;
            let asked = !is(Mutant::ReplacedUnconfirmed);
            let is_fenced_out = self.shared.ownership.borrow().snapshot().fence.is_none();
            if asked && (self.notice_loss() || is_fenced_out) {
                return Ok((!idle).then_some(Event::Lost));
            }
            if idle && self.shared.is_stopping() {
                return Ok(None);
            }
            if asked && !self.shared.is_member_since(&self.world, self.fenced) {
                self.world.sleep(CONFIRM_POLL).await;
            } else if self.start_producer().await? {
                return Ok(Some(Event::ProducerReplaced));
            }
        }
    }

    pub(crate) async fn recover(&mut self) -> Result<(), String> {
        let is_fenced_out = self.shared.ownership.borrow().snapshot().fence.is_none();
        if self.phase() != Phase::Recycling || is_fenced_out {
            return Ok(());
        }
        match self.replace_as_member().await? {
            Some(event) => self.step(event).map(|_| ()),
            None => Ok(()),
        }
    }

    async fn start_producer(&mut self) -> Result<bool, String> {
        step(&self.world).await;
        let mut producer = Producer::new(&self.world, &self.id);
        match producer.init(self.world.scenario.transaction_timeout * 2).await {
            Ok(()) => {
                self.producer = Some(producer);
                self.fenced = None;
                return Ok(true);
            }
            Err(Class::Stop) => return Err(format!("producer {} is refused", self.id)),
            Err(Class::Fenced) => self.fenced = Some(self.world.now()),
            Err(_) => {}
        }
        self.world.sleep(RETRY).await;
        Ok(false)
    }

    fn nonces(&self) -> Vec<(TaskId, Nonce)> {
        let members = self.commit.txn().map(|txn| txn.members.as_slice()).unwrap_or_default();
        members.iter().map(|member| (member.task, member.nonce.clone())).collect()
    }

    async fn resolve(&mut self, tasks: &[OwnedTask]) -> Result<Judgement, String> {
        let members = self.commit.txn().map(|txn| txn.members.clone()).unwrap_or_default();
        let wrote: Vec<_> = members
            .into_iter()
            .filter(|member| tasks.iter().any(|t| t.task.id() == member.task && t.task.sealed().is_some()))
            .collect();
        let ask: Vec<Part> = wrote
            .iter()
            .map(|member| Part { topic: Topic::INPUTS[0], partition: member.task.partition })
            .collect();
        loop {
            let parts = ask.clone();
            let read = move |world: &Rc<World>| world.broker.borrow().offsets.stable(&parts);
            if let Some(Some(found)) = call(&self.world, Api::Query, 2 * SECOND, read).await {
                let judgement = judge(&wrote, |task| {
                    let at = wrote.iter().position(|member| member.task == task)?;
                    found.get(at)?.as_ref()?.1.parse().ok()
                });
                note!(self.world, "{}: {judgement:?}", self.id);
                return Ok(judgement);
            }
            if self.shared.fatal().is_some() {
                return Err(STOPPING.to_owned());
            }
            self.world.sleep(RETRY.min(20 * MS)).await;
        }
    }

    async fn apply(
        &mut self,
        kept: &[TaskId],
        tasks: &mut [OwnedTask],
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        step(&self.world).await;
        let nonces = self.nonces();
        for owned in tasks.iter_mut().filter(|owned| kept.contains(&owned.task.id())) {
            let id = owned.task.id();
            let Some((_, nonce)) = nonces.iter().find(|(task, _)| *task == id) else { continue };
            owned.apply(&self.world, nonce.clone())?;
            self.world.sleep(self.world.between(20, 2000)).await;
            step(&self.world).await;
        }
        outcome.committed = true;
        self.world.tally.borrow_mut().commits += 1;
        Ok(())
    }
}

/// Why a thread ends when the process is ending anyway.
pub(crate) const STOPPING: &str = "the process is stopping";
