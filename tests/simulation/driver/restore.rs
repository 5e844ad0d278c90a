//! The restore thread; as `src/runtime/{restore,fencing}.rs`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use millpond::engine::{
    Changelog, ChangelogPosition, CommittedInput, InputFacts, Nonce, Plan, RestoreFacts, StartTrimmed,
    StoreFacts, conclude, plan,
};
use millpond_mutants::{Mutant, is};
use millpond_topology::{BincodeCodec, CHANGELOG_MARKER_KEY, Codec, SubTopology, Task, TaskId, TaskOptions};

use super::owned_task::OwnedTask;
use super::shared::{RestoreRequest, Shared, ToInstance};
use crate::bank;
use crate::broker::{Part, Rec, Topic};
use crate::disk::{Disk, Store};
use crate::executor::{Inbox, MS, Micros, SECOND};
use crate::network::{Api, call};
use crate::producer::Producer;
use crate::world::{World, note};

const RETRY: Micros = 20 * MS;
const OUTAGE_RETRY: Micros = 500 * MS;
const FENCE_PATIENCE: Micros = 5 * SECOND;
const QUERY: Micros = 10 * SECOND;
const LAST_OWNERS: Micros = 5 * SECOND;

enum Failed {
    Stop(String),
    Again,
    Cancelled,
}

type Committed = Vec<Option<(i64, String)>>;

/// First, stable and last offset.
type Ends = (i64, i64);

/// The restore thread's state.
pub(crate) struct Restorer {
    pub(crate) world: Rc<World>,
    pub(crate) whose: usize,
    pub(crate) shared: Rc<Shared>,
    pub(crate) disk: Rc<RefCell<Disk>>,
    pub(crate) sub: std::sync::Arc<SubTopology>,
    pub(crate) inbox: Rc<Inbox<RestoreRequest>>,
    pub(crate) instance: Rc<Inbox<ToInstance>>,
}

/// Initialises a producer for each of `ids`, which ends their open transactions.
pub(crate) async fn fence_dead(world: &Rc<World>, ids: &[String]) {
    for id in ids {
        note!(world, "fencing {id}");
        let _ = Producer::new(world, id).init(FENCE_PATIENCE).await;
    }
}

impl Restorer {
    pub(crate) async fn run(self) {
        loop {
            let far = self.world.now() + 3600 * SECOND;
            self.inbox.wait(&self.world, far).await;
            while let Some(request) = self.inbox.take() {
                if !self.until_done(&request).await {
                    return;
                }
            }
        }
    }

    async fn until_done(&self, request: &RestoreRequest) -> bool {
        loop {
            match self.restore(request).await {
                Ok(owned) => {
                    self.world.tally.borrow_mut().restores += 1;
                    self.instance.push(&self.world, ToInstance::Restored(Box::new(owned)));
                    return true;
                }
                Err(Failed::Cancelled) => {
                    let message = ToInstance::RestoreCancelled(request.task, request.incarnation);
                    self.instance.push(&self.world, message);
                    return true;
                }
                Err(Failed::Stop(why)) => {
                    self.shared.fail(&self.world, why);
                    return false;
                }
                Err(Failed::Again) => self.world.sleep(OUTAGE_RETRY).await,
            }
        }
    }

    fn check_wanted(&self, request: &RestoreRequest) -> Result<(), Failed> {
        let wanted = self.shared.owns(request.task, request.incarnation) && self.shared.fatal().is_none();
        if wanted { Ok(()) } else { Err(Failed::Cancelled) }
    }

    async fn restore(&self, request: &RestoreRequest) -> Result<OwnedTask, Failed> {
        self.check_wanted(request)?;
        // The order matters: after the stable offsets are read, nothing of an older generation can come.
        let early = if is(Mutant::TargetFirst) { Some(self.stable_end(request).await?) } else { None };
        let committed = self.stable_offsets(request).await?;
        let ends = match early {
            Some(ends) => ends,
            None => self.stable_end(request).await?,
        };
        // As RocksDB's lock says; never so but with one of these rules switched off.
        let may_be_open = is(Mutant::ReleaseBeforeClosed) || is(Mutant::NewFenceBeforeDropped);
        if may_be_open && Store::is_open(&self.disk, request.task.partition) {
            return Err(Failed::Again);
        }
        let mut store = Store::open(&self.world, &self.disk, request.task.partition, self.whose);
        let from = self.plan(request.task, &store, ends)?;
        note!(self.world, "restore of {} from {from} to {}", request.task, ends.1);
        if from < ends.1 {
            self.read(request, &mut store, from, ends.1).await?;
        }
        self.finish(request, store, committed).await
    }

    async fn stable_offsets(&self, request: &RestoreRequest) -> Result<Committed, Failed> {
        let parts = Topic::INPUTS.map(|topic| Part { topic, partition: request.task.partition });
        let mut fenced = false;
        loop {
            self.check_wanted(request)?;
            let begun = self.world.now();
            loop {
                let read = move |world: &Rc<World>| world.broker.borrow().offsets.stable(&parts);
                match call(&self.world, Api::Query, QUERY, read).await {
                    Some(Some(found)) => return Ok(found),
                    Some(None) if self.world.now() - begun < self.world.scenario.pinned_max => {
                        self.world.sleep(10 * MS).await
                    }
                    Some(None) => break,
                    None => return Err(Failed::Again),
                }
            }
            self.pinned(request, &mut fenced).await?;
        }
    }

    async fn ends(&self, part: Part) -> Result<(i64, i64), Failed> {
        let read = move |world: &Rc<World>| {
            let broker = world.broker.borrow();
            (broker.log(part).last_stable(), broker.log(part).end())
        };
        call(&self.world, Api::Query, QUERY, read).await.ok_or(Failed::Again)
    }

    async fn stable_end(&self, request: &RestoreRequest) -> Result<Ends, Failed> {
        let part = Part { topic: Topic::Changelog, partition: request.task.partition };
        let (stable, end) = self.ends(part).await?;
        if is(Mutant::StableAsTarget) {
            return Ok((0, stable));
        }
        let (mut stable, mut fenced, begun) = (stable, false, self.world.now());
        while stable < end {
            self.check_wanted(request)?;
            if self.world.now() - begun > self.world.scenario.pinned_max {
                self.pinned(request, &mut fenced).await?;
            }
            self.world.sleep(RETRY).await;
            stable = self.ends(part).await?.0;
        }
        Ok((0, end))
    }

    /// Once fences the producers that may have left open what pins the task: those of instances that the group lost, and the
    /// one that committed the task last.
    async fn pinned(&self, request: &RestoreRequest, fenced: &mut bool) -> Result<(), Failed> {
        if *fenced || !self.shared.is_member_since(&self.world, None) {
            return Ok(());
        }
        let parts = Topic::INPUTS.map(|topic| Part { topic, partition: request.task.partition });
        let read = move |world: &Rc<World>| {
            let broker = world.broker.borrow();
            parts.map(|part| broker.offsets.committed.get(&part).map(|known| known.1.clone()))
        };
        let found = call(&self.world, Api::Query, LAST_OWNERS, read).await.ok_or(Failed::Again)?;
        let nonces = found.iter().flatten().filter_map(|text| text.parse::<Nonce>().ok());
        let mut dead: BTreeSet<String> = nonces.map(|nonce| nonce.transactional_id).collect();
        dead.extend(request.dead_ids.iter().cloned());
        let own = self.disk.borrow().transactional_ids.clone();
        dead.retain(|id| !own.contains(id) && !request.live_ids.contains(id));
        fence_dead(&self.world, &Vec::from_iter(dead)).await;
        *fenced = true;
        Ok(())
    }

    fn plan(&self, task: TaskId, store: &Store, (log_start, end): Ends) -> Result<i64, Failed> {
        let described = Changelog {
            topic: Topic::Changelog.name().to_owned(),
            partition: task.partition,
            topic_id: Topic::Changelog.id(),
            log_start,
            high_watermark: end,
        };
        let facts = store.found().map(|position| StoreFacts {
            folder: task.to_string(),
            changelog_topic_id: Topic::Changelog.id(),
            position,
            is_stale: false,
        });
        match plan(&described, facts.as_ref()).map_err(|stop| Failed::Stop(format!("task {task}: {stop}")))? {
            Plan::FromStart => Ok(0),
            Plan::Tail { from } => Ok(from),
            Plan::Rebuild { why } => Err(Failed::Stop(format!("a rebuild: {why}"))),
        }
    }

    async fn read(
        &self,
        request: &RestoreRequest,
        store: &mut Store,
        from: i64,
        target: i64,
    ) -> Result<(), Failed> {
        let part = Part { topic: Topic::Changelog, partition: request.task.partition };
        let (mut next, mut chunk) = (from, Vec::new());
        loop {
            self.check_wanted(request)?;
            let read = move |world: &Rc<World>| {
                let broker = world.broker.borrow();
                let records: Vec<Rec> = broker.log(part).committed(next).cloned().collect();
                (records, broker.log(part).last_stable())
            };
            let Some((records, end)) = call(&self.world, Api::Query, QUERY, read).await else {
                return Err(Failed::Again);
            };
            chunk.extend(records);
            next = end;
            // Never stop below the target.
            if end >= target {
                break;
            }
            self.world.sleep(RETRY).await;
        }
        self.world.tally.borrow_mut().replayed += chunk.len() as u64;
        let rows = if is(Mutant::ChangesInChangelog) {
            self.changed(part, store, &chunk)
        } else {
            let row = |rec: &Rec| (rec.0.key.clone().unwrap_or_default(), rec.0.value.clone());
            chunk.iter().map(row).collect()
        };
        store.write(&self.world, rows, next.max(store.position()), "restored");
        Ok(())
    }

    /// Returns what `chunk` leads to where the changelog carries changes: each is added to what the store holds.
    fn changed(&self, part: Part, store: &Store, chunk: &[Rec]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let codec = BincodeCodec::<i64>::new();
        let number = |bytes: Option<&[u8]>| bytes.map_or(bank::OPENING, |bytes| codec.decode(bytes).unwrap());
        let is_marker = |key: &[u8]| key == CHANGELOG_MARKER_KEY;
        let mut held = store.reader().snapshot();
        let mut images = BTreeMap::new();
        let broker = self.world.broker.borrow();
        let first = chunk.first().map_or(0, |rec| rec.0.offset);
        let before = broker.log(part).committed(0).take_while(|rec| rec.0.offset < first);
        for rec in before.filter(|rec| !is_marker(rec.0.key.as_deref().unwrap_or_default())) {
            images.insert(rec.0.key.clone().unwrap_or_default(), number(rec.0.value.as_deref()));
        }
        let mut rows = Vec::new();
        for rec in chunk {
            let key = rec.0.key.clone().unwrap_or_default();
            let mut value = rec.0.value.clone();
            if !is_marker(&key) {
                let image = number(value.as_deref());
                let change = image - images.insert(key.clone(), image).unwrap_or(bank::OPENING);
                let mut bytes = Vec::new();
                codec.encode(&(number(held.get(&key).map(Vec::as_slice)) + change), &mut bytes);
                held.insert(key.clone(), bytes.clone());
                value = Some(bytes);
            }
            rows.push((key, value));
        }
        rows
    }

    async fn finish(
        &self,
        request: &RestoreRequest,
        store: Store,
        committed: Committed,
    ) -> Result<OwnedTask, Failed> {
        let task = request.task;
        let stop = |why: String| Failed::Stop(format!("task {task}: {why}"));
        let marker = store.marker();
        let mut inputs = Vec::new();
        for (topic, known) in Topic::INPUTS.into_iter().zip(&committed) {
            let (_, high_watermark) = self.ends(Part { topic, partition: task.partition }).await?;
            let facts = InputFacts {
                topic: topic.name().to_owned(),
                topic_id: topic.id(),
                log_start: 0,
                high_watermark,
            };
            let sequence = known.as_ref().and_then(nonce).map(|nonce| nonce.sequence);
            let committed = known.as_ref().map(|(offset, _)| *offset);
            inputs.push(CommittedInput { facts, committed, sequence });
        }
        let facts = RestoreFacts {
            app: bank::APP.to_owned(),
            brokers: String::new(),
            changelog: Topic::Changelog.name().to_owned(),
            partition: task.partition,
            fingerprint: self.sub.fingerprint(),
            inputs,
            marker,
            may_start_trimmed: StartTrimmed::Refuse,
        };
        let restored = match conclude(facts) {
            Ok(restored) => restored,
            // Only offsets that stand still prove that something is wrong.
            Err(_) if !is(Mutant::NoSecondLook) && self.stable_offsets(request).await? != committed => {
                return Err(Failed::Again);
            }
            Err(source) => return Err(stop(source.to_string())),
        };
        let previous = committed.first().and_then(Option::as_ref).and_then(nonce);
        let partitions = self.world.scenario.partitions;
        let options = TaskOptions {
            app: bank::APP.to_owned(),
            input_partitions: partitions,
            sink_partitions: vec![partitions; self.sub.sinks().len()],
            timestamp_max_ahead_ms: 24 * 60 * 60 * 1000,
            dead_letter_value_bytes_max: 900 * 1024,
            held_bytes_max: self.world.scenario.held_bytes,
        };
        let built: Task<Rec> = Task::new(task, &self.sub, options, &restored, Box::new(store.reader()))
            .map_err(|error| stop(error.to_string()))?;
        let starts: BTreeMap<&str, i64> =
            restored.inputs.iter().map(|input| (input.topic.as_str(), input.next_offset)).collect();
        let fetched = built
            .input_topics()
            .map(|topic| (Part { topic: Topic::of(topic), partition: task.partition }, starts[topic]))
            .collect();
        note!(self.world, "restored {task} at sequence {}, position {}", restored.sequence, store.position());
        Ok(OwnedTask {
            task: built,
            position: ChangelogPosition::new(store.position()),
            store,
            incarnation: request.incarnation,
            previous,
            attempt: 0,
            flushed: self.world.now(),
            fetched,
        })
    }
}

fn nonce((_, text): &(i64, String)) -> Option<Nonce> {
    text.parse().ok()
}

/// Returns the latest of the changelog as a running task's thread is told; see `src/runtime/watch.rs`.
pub(crate) async fn changelog_end(world: &Rc<World>, task: TaskId) -> Option<i64> {
    let part = Part { topic: Topic::Changelog, partition: task.partition };
    let read = move |world: &Rc<World>| {
        let broker = world.broker.borrow();
        let log = broker.log(part);
        if is(Mutant::WatermarkAsPosition) { log.end() } else { log.last_stable() }
    };
    call(world, Api::Query, QUERY, read).await
}
