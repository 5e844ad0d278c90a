//! A stream thread: fetch, process, commit, apply; as `src/runtime/stream_thread.rs`.

use std::rc::Rc;
use std::time::Duration;

use millpond::engine::{Batching, Class, Incarnation, Mode, Pending, Phase};
use millpond_topology::{Now, ProcessError, RawRecord, TaskId};

use super::lane::{Lane, Outcome};
use super::owned_task::OwnedTask;
use super::shared::{Shared, ToInstance, ToThread};
use crate::broker::Rec;
use crate::executor::{Inbox, MS, Micros};
use crate::fleet::step;
use crate::report::Fault;
use crate::world::{World, note};

const SLICE: usize = 500;
/// Longest wait for a record.
const WAIT_MAX: Micros = 40 * MS;

/// The thread's state.
pub(crate) struct StreamThread {
    pub(crate) world: Rc<World>,
    pub(crate) number: usize,
    pub(crate) shared: Rc<Shared>,
    pub(crate) inbox: Rc<Inbox<ToThread>>,
    pub(crate) instance: Rc<Inbox<ToInstance>>,
    pub(crate) lane: Lane,
    pub(crate) tasks: Vec<OwnedTask>,
    pub(crate) joining: Vec<OwnedTask>,
    pub(crate) since: Option<Duration>,
    pub(crate) search: Search,
}

/// The search for a record that Kafka refuses.
pub(crate) struct Search {
    /// Most records of the next transaction; below the maximum while the search is on.
    records_max: usize,
    /// The only task that works meanwhile.
    suspect: usize,
    rejecting: bool,
    punctuators_alone: bool,
    /// Records in the transaction that is being committed.
    committing: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            records_max: usize::MAX,
            suspect: 0,
            rejecting: false,
            punctuators_alone: false,
            committing: 0,
        }
    }
}

fn has_next(owned: &OwnedTask) -> bool {
    owned.waiting() > 0
}

impl StreamThread {
    pub(crate) async fn run(mut self) -> Result<(), String> {
        loop {
            if self.messages().await? {
                return Ok(());
            }
            if self.lane.notice_loss() {
                self.lose().await?;
            }
            self.lane.recover().await?;
            self.join().await?;
            self.fetch().await;
            self.process().await?;
            self.commit_if_due().await?;
            for owned in &mut self.tasks {
                owned.flush_if_due(&self.world);
            }
        }
    }

    async fn messages(&mut self) -> Result<bool, String> {
        while let Some(message) = self.inbox.take() {
            match message {
                ToThread::Open(task) => self.joining.push(*task),
                ToThread::Close(task, incarnation) => self.close(task, incarnation).await?,
                ToThread::ChangelogEnd(task, last_stable) => {
                    if let Some(owned) = self.tasks.iter_mut().find(|owned| owned.task.id() == task) {
                        owned.position.answered(last_stable);
                    }
                }
                ToThread::Lost => {
                    self.lose().await?;
                    self.instance.push(&self.world, ToInstance::LossAcknowledged(self.number));
                }
                ToThread::Stop => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn join(&mut self) -> Result<(), String> {
        if !self.joining.is_empty() {
            self.give_up_empty().await?;
        }
        if self.joining.is_empty() || self.lane.phase() != Phase::Idle {
            return Ok(());
        }
        for owned in std::mem::take(&mut self.joining) {
            if self.shared.owns(owned.task.id(), owned.incarnation) {
                note!(self.world, "task {} runs as {}", owned.task.id(), owned.incarnation);
                self.tasks.push(owned);
            } else {
                self.forget(owned);
            }
        }
        Ok(())
    }

    async fn give_up_empty(&mut self) -> Result<(), String> {
        if self.lane.phase() == Phase::Open && !self.tasks.iter().any(|owned| owned.task.is_dirty()) {
            let outcome = self.lane.spoil(Class::Abortable, &mut self.tasks).await?;
            self.finish(&outcome).await?;
        }
        Ok(())
    }

    async fn close(&mut self, task: TaskId, incarnation: Incarnation) -> Result<(), String> {
        let wanted = |owned: &OwnedTask| owned.task.id() == task && owned.incarnation == incarnation;
        if let Some(at) = self.joining.iter().position(wanted) {
            let owned = self.joining.remove(at);
            self.forget(owned);
            return Ok(());
        }
        if !self.tasks.iter().any(wanted) {
            return Ok(());
        }
        self.commit().await?;
        self.give_up_empty().await?;
        if let Some(at) = self.tasks.iter().position(wanted) {
            let mut owned = self.tasks.remove(at);
            owned.rollback();
            self.forget(owned);
        }
        Ok(())
    }

    fn forget(&mut self, owned: OwnedTask) {
        let (id, incarnation) = (owned.task.id(), owned.incarnation);
        owned.close(&self.world);
        note!(self.world, "task {id} closed as {incarnation}");
        self.instance.push(&self.world, ToInstance::Closed(id, incarnation));
    }

    async fn lose(&mut self) -> Result<(), String> {
        self.lane.spoil(Class::Lost, &mut self.tasks).await?;
        self.since = None;
        while !self.tasks.is_empty() {
            let mut owned = self.tasks.remove(0);
            owned.rollback();
            self.forget(owned);
        }
        for owned in std::mem::take(&mut self.joining) {
            self.forget(owned);
        }
        Ok(())
    }

    async fn fetch(&mut self) {
        let busy = self.tasks.iter().any(has_next);
        let wait = match self.since {
            _ if busy => 0,
            Some(since) => {
                let since = u64::try_from(since.as_micros()).unwrap();
                let due = since + self.world.scenario.commit_interval;
                due.saturating_sub(self.world.now()).clamp(MS, WAIT_MAX)
            }
            None => WAIT_MAX,
        };
        self.world.sleep(wait.max(self.world.between(200, 2 * MS))).await;
        step(&self.world).await;
        let broker = self.world.broker.borrow();
        if !broker.is_up(self.world.now()) {
            return;
        }
        for owned in &mut self.tasks {
            for (at, (part, next)) in owned.fetched.iter_mut().enumerate() {
                if self.world.fault(Fault::Redelivered, self.world.scenario.redelivered) {
                    *next = (*next - i64::try_from(self.world.between(1, 4)).unwrap()).max(0);
                }
                let log = broker.log(*part);
                let end = log.last_stable();
                let most = usize::try_from(self.world.between(1, 8)).unwrap();
                let mut more = log.committed(*next);
                let some: Vec<Rec> = more.by_ref().take(most).cloned().collect();
                let all = more.next().is_none();
                for record in some {
                    *next = record.offset() + 1;
                    owned.task.push(at, record);
                }
                if all {
                    *next = end.max(*next);
                    owned.task.reached_end(at, end);
                }
            }
        }
    }

    fn now(&self) -> Now {
        Now::new(Duration::from_micros(self.world.now()), self.shared.wall_ms(&self.world))
    }

    async fn process(&mut self) -> Result<(), String> {
        self.pass_over_idle_suspects();
        if std::mem::take(&mut self.search.punctuators_alone) {
            return self.punctuate_alone().await;
        }
        let mut budget = self.search.records_max;
        let searching = budget != usize::MAX;
        for at in 0..self.tasks.len() {
            if searching && at != self.search.suspect {
                continue;
            }
            let now = self.now();
            let Some(owned) = self.tasks.get(at) else { break };
            let wants = has_next(owned) || owned.task.is_dirty() || owned.task.has_punctuators();
            if wants && self.lane.phase() == Phase::Idle {
                let outcome = self.lane.begin(&mut self.tasks).await?;
                self.finish(&outcome).await?;
            }
            if self.lane.phase() != Phase::Open {
                continue;
            }
            let Some(owned) = self.tasks.get_mut(at) else { break };
            let done = owned.task.process(now, SLICE.min(budget)).and_then(|count| {
                // Never together with a record that is under suspicion.
                if !searching {
                    owned.task.punctuate(now)?;
                }
                Ok(count)
            });
            budget = budget.saturating_sub(done.map_err(|error| error.to_string())?);
            if self.since.is_none() && owned.task.is_dirty() {
                self.since = Some(now.monotonic);
            }
            if budget == 0 {
                return self.commit().await;
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

    async fn commit_if_due(&mut self) -> Result<(), String> {
        let now = self.now().monotonic;
        let pending = self.pending();
        if pending.is_dirty && self.since.is_none() {
            self.since = Some(now);
        }
        let Some(since) = self.since else { return Ok(()) };
        let batching = Batching {
            interval: Duration::from_micros(self.world.scenario.commit_interval),
            rows: 40,
            bytes: 1 << 20,
            mode: if self.world.scenario.is_eager { Mode::Latency } else { Mode::Throughput },
            idle_interval: Duration::from_millis(300),
        };
        if self.lane.phase() == Phase::Open && batching.is_due(now, since, pending) {
            self.commit().await?;
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), String> {
        if self.lane.phase() != Phase::Open || !self.tasks.iter().any(|owned| owned.task.is_dirty()) {
            return Ok(());
        }
        self.search.committing = self.tasks.iter().map(OwnedTask::processed).sum();
        let outcome = self.lane.commit(&mut self.tasks).await?;
        self.finish(&outcome).await
    }

    async fn finish(&mut self, outcome: &Outcome) -> Result<(), String> {
        if outcome.committed || outcome.aborted {
            self.since = None;
        }
        for &task in &outcome.dropped {
            if let Some(at) = self.tasks.iter().position(|owned| owned.task.id() == task) {
                let mut owned = self.tasks.remove(at);
                owned.rollback();
                self.forget(owned);
            }
        }
        if outcome.record_refused && outcome.dropped.is_empty() {
            // Of one future in itself the size is not known.
            Box::pin(self.halve()).await?;
        } else if outcome.committed && self.search.records_max != usize::MAX {
            self.search.suspect += 1;
            if self.search.suspect >= self.tasks.len() {
                self.all_innocent();
            }
        }
        Ok(())
    }

    /// A suspect with nothing to process would keep the others waiting for ever.
    fn pass_over_idle_suspects(&mut self) {
        while self.search.records_max != usize::MAX {
            match self.tasks.get(self.search.suspect) {
                Some(owned) if has_next(owned) || owned.task.is_dirty() => return,
                Some(_) => self.search.suspect += 1,
                None => self.all_innocent(),
            }
        }
    }

    fn all_innocent(&mut self) {
        self.work_unlimited();
        self.search.punctuators_alone = self.tasks.iter().any(|owned| owned.task.has_punctuators());
    }

    async fn punctuate_alone(&mut self) -> Result<(), String> {
        self.commit().await?;
        if self.lane.phase() == Phase::Idle {
            let outcome = self.lane.begin(&mut self.tasks).await?;
            self.finish(&outcome).await?;
        }
        if self.lane.phase() != Phase::Open {
            return Ok(());
        }
        let now = self.now();
        for owned in &mut self.tasks {
            owned.task.punctuate(now).map_err(|error| error.to_string())?;
        }
        self.commit().await
    }

    fn work_unlimited(&mut self) {
        self.search.records_max = usize::MAX;
        self.search.suspect = 0;
    }

    async fn halve(&mut self) -> Result<(), String> {
        const REFUSED: &str = "Kafka refuses a record that comes from no input";
        if self.search.rejecting || self.search.committing == 0 {
            return Err(REFUSED.to_owned());
        }
        if self.search.records_max > 1 {
            let held = self.tasks.iter().map(OwnedTask::waiting).sum::<usize>();
            self.search.records_max = (self.search.records_max.min(held.max(2)) / 2).max(1);
            return Ok(());
        }
        let now = self.now();
        let outcome = self.lane.begin(&mut self.tasks).await?;
        self.finish(&outcome).await?;
        if self.lane.phase() != Phase::Open {
            self.work_unlimited();
            return Ok(());
        }
        let Some(owned) = self.tasks.get_mut(self.search.suspect).filter(|owned| has_next(owned)) else {
            return Err(REFUSED.to_owned());
        };
        let refused = ProcessError::dead_letter("TOO_LARGE", "Kafka refused an output of this record");
        owned.task.reject_next(now, refused).map_err(|error| error.to_string())?;
        self.search.rejecting = true;
        self.work_unlimited();
        self.commit().await?;
        self.search.rejecting = false;
        Ok(())
    }
}
