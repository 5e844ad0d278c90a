//! The transaction coordinator, protocol v1, with its hole: a transaction has no number, so that a delayed request of the
//! same producer epoch takes effect on whatever transaction is open when it arrives (KAFKA-17754).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use millpond::topology::OwnedRecord;

use super::{Broker, Part, Pid, Topic};
use crate::bank::VALUE_MAX;
use crate::executor::Micros;
use crate::report::Fault;
use crate::world::{World, note};

/// What the broker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Fine,
    /// Markers of the transaction before are still being written, or the coordinator has just started: try again.
    Concurrent,
    /// A newer epoch exists.
    Fenced,
    InvalidState,
    OutOfOrder,
    /// A record is too large for the topic.
    Refused,
    UnknownMember,
    IllegalGeneration,
    FencedInstance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Ongoing,
    Prepare { commit: bool },
    Complete { commit: bool },
}

#[derive(Debug)]
struct Txn {
    pid: Pid,
    state: State,
    parts: BTreeSet<Part>,
    /// The group's offsets are part of it.
    offsets: bool,
    /// Parts without their marker.
    left: usize,
    /// Number of begun transactions, so that a timeout finds its own.
    number: u64,
    timeout: Micros,
}

/// Transactions by transactional id.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Txn>,
    /// How often a producer took the place of another.
    pub(super) superseded: u64,
}

/// An offset as a transaction sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentOffset {
    pub(crate) part: Part,
    pub(crate) offset: i64,
    pub(crate) metadata: String,
}

/// The group's offsets.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    pub(crate) committed: BTreeMap<Part, (i64, String)>,
    pub(crate) pending: BTreeMap<u64, Vec<SentOffset>>,
}

impl Offsets {
    /// Returns the offsets of `parts`, or `None` when an open transaction pins one.
    pub(crate) fn stable(&self, parts: &[Part]) -> Option<Vec<Option<(i64, String)>>> {
        let pinned = self.pending.values().flatten().any(|sent| parts.contains(&sent.part));
        (!pinned).then(|| parts.iter().map(|part| self.committed.get(part).cloned()).collect())
    }
}

/// A fence as it comes with offsets.
#[derive(Debug, Clone)]
pub(crate) struct FenceSent {
    pub(crate) member: String,
    pub(crate) instance: Option<String>,
    pub(crate) generation: i32,
}

impl Broker {
    /// InitProducerId: ends what is open under the id, and bumps the epoch.
    pub(crate) fn init(&mut self, world: &Rc<World>, id: &str, timeout: Micros) -> Result<Pid, Answer> {
        let fresh = u64::try_from(self.transactions.by_id.len()).unwrap() + 1;
        let known = self.transactions.by_id.entry(id.to_owned()).or_insert_with(|| Txn {
            pid: Pid { id: fresh, epoch: 0 },
            state: State::Empty,
            parts: BTreeSet::new(),
            offsets: false,
            left: 0,
            number: 0,
            timeout,
        });
        match known.state {
            State::Ongoing => {
                known.pid.epoch += 1;
                self.prepare(world, id, false);
                Err(Answer::Concurrent)
            }
            State::Prepare { .. } => Err(Answer::Concurrent),
            State::Empty | State::Complete { .. } => {
                known.pid.epoch += 1;
                known.state = State::Empty;
                known.timeout = timeout;
                self.transactions.superseded += u64::from(known.pid.epoch > 1);
                note!(world, "broker: {id} is {:?}", known.pid);
                Ok(known.pid)
            }
        }
    }

    fn known(&mut self, id: &str, pid: Pid) -> Result<&mut Txn, Answer> {
        let known = self.transactions.by_id.get_mut(id).ok_or(Answer::InvalidState)?;
        if known.pid == pid { Ok(known) } else { Err(Answer::Fenced) }
    }

    fn begin(&mut self, world: &Rc<World>, id: &str, pid: Pid) -> Result<&mut Txn, Answer> {
        let known = self.known(id, pid)?;
        match known.state {
            State::Prepare { .. } => return Err(Answer::Concurrent),
            State::Ongoing => {}
            State::Empty | State::Complete { .. } => {
                known.state = State::Ongoing;
                known.parts.clear();
                known.offsets = false;
                known.number += 1;
                let (number, id) = (known.number, id.to_owned());
                world.executor.at(world.now() + known.timeout, move |world| {
                    world.broker.borrow_mut().expire(world, &id, number);
                });
            }
        }
        Ok(known)
    }

    fn expire(&mut self, world: &Rc<World>, id: &str, number: u64) {
        let Some(known) = self.transactions.by_id.get_mut(id) else { return };
        if known.number == number && known.state == State::Ongoing {
            known.pid.epoch += 1;
            world.count(Fault::TransactionTimeout);
            note!(world, "broker: transaction of {id} times out");
            self.prepare(world, id, false);
        }
    }

    pub(crate) fn add_parts(&mut self, world: &Rc<World>, id: &str, pid: Pid, parts: &[Part]) -> Answer {
        match self.begin(world, id, pid) {
            Ok(known) => {
                known.parts.extend(parts);
                Answer::Fine
            }
            Err(answer) => answer,
        }
    }

    pub(crate) fn add_offsets(&mut self, world: &Rc<World>, id: &str, pid: Pid) -> Answer {
        match self.begin(world, id, pid) {
            Ok(known) => {
                known.offsets = true;
                Answer::Fine
            }
            Err(answer) => answer,
        }
    }

    /// Appends a batch. What begins a transaction in the partition is verified with the coordinator.
    pub(crate) fn produce(
        &mut self,
        (id, pid): (&str, Pid),
        part: Part,
        first: i64,
        records: &[OwnedRecord],
    ) -> Answer {
        let Some(log) = self.logs.get_mut(&part) else { return Answer::InvalidState };
        match log.check(pid, first, i64::try_from(records.len()).unwrap()) {
            None => return Answer::Fine,
            Some(Answer::Fine) => {}
            Some(other) => return other,
        }
        if !log.is_open(pid.id) {
            let known = self.transactions.by_id.get(id);
            let covers = |known: &Txn| {
                known.pid == pid && known.state == State::Ongoing && known.parts.contains(&part)
            };
            if !known.is_some_and(covers) {
                return Answer::InvalidState;
            }
        }
        let size = |record: &OwnedRecord| record.value.as_ref().map_or(0, Vec::len);
        if part.topic == Topic::Events && records.iter().any(|record| size(record) > VALUE_MAX) {
            return Answer::Refused;
        }
        log.append(pid, first, records);
        Answer::Fine
    }

    /// TxnOffsetCommit: fenced by member and generation, and verified with the coordinator.
    pub(crate) fn txn_offsets(
        &mut self,
        world: &Rc<World>,
        (id, pid): (&str, Pid),
        fence: &FenceSent,
        offsets: &[SentOffset],
    ) -> Answer {
        let refused = self.group.refuses(fence);
        if let Some(answer) = refused {
            note!(world, "broker: offsets of {id} refused: {answer:?}");
            world.tally.borrow_mut().false_fences += u64::from(answer == Answer::IllegalGeneration);
            return answer;
        }
        match self.known(id, pid) {
            Err(answer) => return answer,
            Ok(known) if known.state == State::Ongoing && known.offsets => {}
            Ok(_) => return Answer::InvalidState,
        }
        let pending = self.offsets.pending.entry(pid.id).or_default();
        for sent in offsets {
            pending.retain(|known| known.part != sent.part);
            pending.push(sent.clone());
        }
        Answer::Fine
    }

    /// EndTxn: takes effect on whatever transaction of this epoch is open.
    pub(crate) fn end(&mut self, world: &Rc<World>, id: &str, pid: Pid, commit: bool) -> Answer {
        let state = match self.known(id, pid) {
            Ok(known) => known.state,
            Err(answer) => return answer,
        };
        match state {
            State::Ongoing => {
                self.prepare(world, id, commit);
                Answer::Fine
            }
            State::Prepare { commit: known } if known == commit => Answer::Concurrent,
            State::Complete { commit: known } if known == commit => Answer::Fine,
            State::Empty | State::Prepare { .. } | State::Complete { .. } => Answer::InvalidState,
        }
    }

    /// The decision: from here on the transaction is committed or aborted, whatever happens.
    fn prepare(&mut self, world: &Rc<World>, id: &str, commit: bool) {
        let Some(known) = self.transactions.by_id.get_mut(id) else { return };
        known.state = State::Prepare { commit };
        let pid = known.pid;
        known.left = known.parts.len() + usize::from(known.offsets);
        let parts = known.parts.clone();
        note!(world, "broker: {id} {pid:?} {}", if commit { "COMMITS" } else { "aborts" });
        if commit {
            let sent = self.offsets.pending.get(&pid.id).cloned().unwrap_or_default();
            world.audit.borrow_mut().committed(world, self, (id, pid.id), &sent);
        }
        self.write_markers(world, id, &parts);
    }

    fn write_markers(&mut self, world: &Rc<World>, id: &str, parts: &BTreeSet<Part>) {
        let Some(known) = self.transactions.by_id.get(id) else { return };
        let pid = known.pid;
        let State::Prepare { commit } = known.state else { return };
        let offsets = known.offsets.then_some(None);
        let all: Vec<Option<Part>> = parts.iter().copied().map(Some).chain(offsets).collect();
        if all.is_empty() {
            self.complete(id);
        }
        for part in all {
            let most = if world.is_calm() { 2000 } else { self.marker_max };
            let (id, delay) = (id.to_owned(), world.between(200, most));
            world.executor.at(world.now() + delay, move |world| {
                world.broker.borrow_mut().marker(world, (&id, pid), part, commit);
            });
        }
    }

    /// Writes the marker of one partition; `None` = the group's offsets.
    fn marker(&mut self, world: &Rc<World>, (id, pid): (&str, Pid), part: Option<Part>, commit: bool) {
        if !self.is_up(world.now()) {
            return;
        }
        let waits = |known: &Txn| {
            let listed = part.map_or(known.offsets, |part| known.parts.contains(&part));
            known.pid == pid && known.state == State::Prepare { commit } && listed
        };
        if !self.transactions.by_id.get(id).is_some_and(waits) {
            return;
        }
        match part.and_then(|part| self.logs.get_mut(&part)) {
            Some(log) => log.finish(pid, commit),
            None => {
                for sent in self.offsets.pending.remove(&pid.id).unwrap_or_default() {
                    if commit {
                        self.offsets.committed.insert(sent.part, (sent.offset, sent.metadata));
                    }
                }
            }
        }
        let Some(known) = self.transactions.by_id.get_mut(id) else { return };
        match part {
            Some(part) => drop(known.parts.remove(&part)),
            None => known.offsets = false,
        }
        known.left -= 1;
        if known.left == 0 {
            self.complete(id);
        }
    }

    fn complete(&mut self, id: &str) {
        if let Some(known) = self.transactions.by_id.get_mut(id)
            && let State::Prepare { commit } = known.state
        {
            known.state = State::Complete { commit };
        }
    }

    /// Goes on with what was being ended when the broker went down.
    pub(crate) fn resume_markers(&mut self, world: &Rc<World>) {
        let open: Vec<(String, BTreeSet<Part>)> = self
            .transactions
            .by_id
            .iter()
            .filter(|(_, known)| matches!(known.state, State::Prepare { .. }))
            .map(|(id, known)| (id.clone(), known.parts.clone()))
            .collect();
        for (id, parts) in open {
            self.write_markers(world, &id, &parts);
        }
    }

    /// Says whether no transaction is open.
    pub(crate) fn is_settled(&self) -> bool {
        self.transactions
            .by_id
            .values()
            .all(|known| !matches!(known.state, State::Prepare { .. } | State::Ongoing))
    }
}
