//! A transactional producer as librdkafka behaves: hidden retries after `retry.backoff.ms`, sequence numbers per partition.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use millpond::engine::Class;
use millpond::topology::OwnedRecord;
use millpond_membership::Fence;
use millpond_mutants::{Mutant, is};

use crate::broker::{Answer, Part, Pid, SentOffset};
use crate::executor::{MS, Micros};
use crate::network::{Api, call};
use crate::world::World;

/// Longest wait for one answer before the same request is sent again on a new connection.
const ATTEMPT: Micros = 3000 * MS;

/// How long a call took and what it said.
pub(crate) type Said = (Micros, Result<(), Class>);

/// A producer.
pub(crate) struct Producer {
    world: Rc<World>,
    pub(crate) id: String,
    pid: Pid,
    sequences: BTreeMap<Part, i64>,
    registered: BTreeSet<Part>,
    has_offsets: bool,
    /// A batch was not acknowledged: after the abort its sequence number cannot be known.
    unsure: bool,
}

/// Says what an answer means; `None` = send it again.
fn class(answer: Answer) -> Option<Result<(), Class>> {
    match answer {
        Answer::Fine => Some(Ok(())),
        Answer::Concurrent => None,
        Answer::Fenced => Some(Err(Class::Fenced)),
        Answer::InvalidState => Some(Err(Class::RestartProducer)),
        Answer::OutOfOrder | Answer::IllegalGeneration => Some(Err(Class::Abortable)),
        Answer::UnknownMember if is(Mutant::UnknownMemberReplayed) => Some(Err(Class::Abortable)),
        Answer::UnknownMember => Some(Err(Class::Lost)),
        Answer::Refused => Some(Err(Class::Record)),
        Answer::FencedInstance => Some(Err(Class::Stop)),
    }
}

impl Producer {
    pub(crate) fn new(world: &Rc<World>, id: &str) -> Self {
        Self {
            world: Rc::clone(world),
            id: id.to_owned(),
            pid: Pid { id: 0, epoch: 0 },
            sequences: BTreeMap::new(),
            registered: BTreeSet::new(),
            has_offsets: false,
            unsure: false,
        }
    }

    /// Sends a request until it is answered with something that is not "again", or `until`.
    async fn insist<S>(&self, api: Api, until: Micros, serve: S) -> Result<(), Class>
    where
        S: Fn(&Rc<World>) -> Answer + Clone + 'static,
    {
        loop {
            let left = until.saturating_sub(self.world.now());
            if left == 0 {
                return Err(Class::Retriable);
            }
            let serve = serve.clone();
            let answer = call(&self.world, api, left.min(ATTEMPT), move |world| serve(world)).await;
            let wait = match answer {
                Some(answer) => match class(answer) {
                    Some(result) => return result,
                    None => self.world.between(15 * MS, 25 * MS),
                },
                // `retry.backoff.ms`, with its jitter.
                None => self.world.between(80 * MS, 120 * MS),
            };
            let left = until.saturating_sub(self.world.now());
            self.world.sleep(wait.min(left)).await;
        }
    }

    /// Calls `init_transactions`.
    pub(crate) async fn init(&mut self, patience: Micros) -> Result<(), Class> {
        let until = self.world.now() + patience;
        let timeout = self.world.scenario.transaction_timeout;
        loop {
            let left = until.saturating_sub(self.world.now());
            if left == 0 {
                return Err(Class::Retriable);
            }
            let id = self.id.clone();
            let ask = move |world: &Rc<World>| world.broker.borrow_mut().init(world, &id, timeout);
            match call(&self.world, Api::Init, left.min(ATTEMPT), ask).await {
                Some(Ok(pid)) => {
                    self.pid = pid;
                    return Ok(());
                }
                // librdkafka's fixed wait while the transaction before is being ended.
                Some(Err(_)) => self.world.sleep(500 * MS).await,
                None => self.world.sleep(100 * MS).await,
            }
        }
    }

    pub(crate) fn begin(&mut self) {
        self.registered.clear();
        self.has_offsets = false;
        self.unsure = false;
    }

    /// Produces `batches` and waits until they are acknowledged.
    pub(crate) async fn produce(
        &mut self,
        batches: Vec<(Part, Vec<OwnedRecord>)>,
        until: Micros,
    ) -> Result<(), Class> {
        let (id, pid) = (self.id.clone(), self.pid);
        let fresh: Vec<Part> =
            batches.iter().map(|batch| batch.0).filter(|part| !self.registered.contains(part)).collect();
        self.registered.extend(&fresh);
        let late = |class| if class == Class::Retriable { Class::Abortable } else { class };
        let add = move |world: &Rc<World>| world.broker.borrow_mut().add_parts(world, &id, pid, &fresh);
        self.insist(Api::AddPartitions, until, add).await.map_err(late)?;
        for (part, records) in batches {
            let first = self.sequences.get(&part).copied().unwrap_or(0);
            let count = i64::try_from(records.len()).unwrap();
            self.unsure = true;
            let (id, records) = (self.id.clone(), Rc::new(records));
            let write =
                move |world: &Rc<World>| world.broker.borrow_mut().produce((&id, pid), part, first, &records);
            self.insist(Api::Produce, until, write).await.map_err(late)?;
            self.unsure = false;
            self.sequences.insert(part, first + count);
        }
        Ok(())
    }

    async fn timed(&self, begun: Micros, result: Result<(), Class>) -> Said {
        (self.world.now() - begun, result)
    }

    /// Calls `send_offsets_to_transaction`.
    pub(crate) async fn send_offsets(
        &mut self,
        offsets: Vec<SentOffset>,
        fence: Fence,
        patience: Micros,
    ) -> Said {
        let (begun, pid) = (self.world.now(), self.pid);
        let until = begun + patience;
        self.has_offsets = true;
        let id = self.id.clone();
        let add = move |world: &Rc<World>| world.broker.borrow_mut().add_offsets(world, &id, pid);
        // Not answered in time: librdkafka offers no repetition within the transaction.
        let late = |class| if class == Class::Retriable { Class::Abortable } else { class };
        let added = self.insist(Api::AddOffsets, until, add).await.map_err(late);
        if added.is_err() {
            return self.timed(begun, added).await;
        }
        let (id, offsets) = (self.id.clone(), Rc::new(offsets));
        let fence = crate::broker::FenceSent {
            member: fence.member().to_owned(),
            instance: fence.instance().map(str::to_owned),
            generation: fence.generation(),
        };
        let send = move |world: &Rc<World>| {
            world.broker.borrow_mut().txn_offsets(world, (&id, pid), &fence, &offsets)
        };
        let sent = self.insist(Api::TxnOffsets, until, send).await.map_err(late);
        self.timed(begun, sent).await
    }

    /// Calls `commit_transaction` for at most `slice`; after a retriable answer it may be called again.
    pub(crate) async fn commit(&mut self, slice: Micros) -> Said {
        let begun = self.world.now();
        let result = self.end(true, begun + slice).await;
        self.timed(begun, result).await
    }

    /// Calls `abort_transaction`.
    pub(crate) async fn abort(&mut self, patience: Micros) -> Said {
        let begun = self.world.now();
        let mut result = self.end(false, begun + patience).await;
        if result.is_ok() && self.unsure {
            // The epoch is bumped, so that sequence numbers begin anew.
            self.sequences.clear();
            result = self.init(patience).await;
        }
        self.timed(begun, result).await
    }

    async fn end(&mut self, commit: bool, until: Micros) -> Result<(), Class> {
        if self.registered.is_empty() && !self.has_offsets {
            return Ok(());
        }
        let (id, pid) = (self.id.clone(), self.pid);
        let end = move |world: &Rc<World>| world.broker.borrow_mut().end(world, &id, pid, commit);
        self.insist(Api::EndTxn, until, end).await
    }
}
