//! One writer task: takes its share of the partitions, empties its inbox into PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::acquire::{self, NotTaken};
use super::backoff::Backoff;
use super::batch::{Batch, Partition};
use super::class::{Class, class};
use super::connection::Connection;
use super::failure::Failure;
use super::flush;
use super::inbox::{Inbox, Marks};
use super::reader::{Command, ReaderLine};
use super::shared::{Phase, Shared};
use super::topic_ids::TopicId;

/// Least time between two transactions that carry no rows but only pass transaction markers.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// An idle writer asks the database where it stands this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a position beyond the end is put down to a leader that has not caught up.
const BEYOND_END_FOR: Duration = Duration::from_secs(10);

/// A partition this writer has taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) topic_id: TopicId,
    /// What `sink_offsets` holds, as far as this writer knows.
    pub(super) expected: i64,
    /// Assignment to the reader; runs read under another one are stale.
    pub(super) epoch: u64,
}

/// A partition still to be taken.
struct Wanted {
    due: Instant,
    since: Instant,
    backoff: Backoff,
}

/// One writer.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
    pub(super) connection: Connection,
    pub(super) reader: ReaderLine,
    pub(super) inbox: Arc<Inbox>,
    pub(super) target: watch::Receiver<BTreeSet<Arc<Partition>>>,
    pub(super) phases: watch::Receiver<Phase>,
    pub(super) taken: BTreeMap<Arc<Partition>, Taken>,
    pub(super) backoff: Backoff,
    wanted: BTreeMap<Arc<Partition>, Wanted>,
    epochs: u64,
    idle_due: Instant,
    look_due: Instant,
    is_mine: Box<dyn Fn(&Partition) -> bool + Send + Sync>,
}

/// What a new writer is given.
pub(super) struct Parts {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Connection,
    pub(super) reader: ReaderLine,
    pub(super) target: watch::Receiver<BTreeSet<Arc<Partition>>>,
    /// Number of this writer, below the number of writers.
    pub(super) number: usize,
}

impl Writer {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { shared, connection, reader, mut target, number } = parts;
        target.mark_changed();
        let settings = &shared.settings;
        let writers = settings.writers.max(1);
        Self {
            name: format!("writer {number}"),
            connection,
            reader,
            inbox: Arc::new(Inbox::new(settings.batch_rows.max(1), settings.batch_bytes.max(1))),
            target,
            phases: shared.phases(),
            taken: BTreeMap::new(),
            backoff: Backoff::default(),
            wanted: BTreeMap::new(),
            epochs: 0,
            idle_due: Instant::now(),
            look_due: Instant::now() + LOOK_EVERY,
            is_mine: Box::new(move |partition| {
                usize::try_from(partition.number).is_ok_and(|partition| partition % writers == number)
            }),
            shared,
        }
    }

    /// Works until the sink stops; a failure stops the whole sink.
    pub(super) async fn run(mut self) {
        let mut result = Ok(());
        while result.is_ok() && self.shared.is_running() {
            result = self.step().await;
        }
        if let Err(failure) = result {
            self.shared.fail(failure);
        }
        self.connection.close().await;
    }

    async fn step(&mut self) -> Result<(), Failure> {
        if self.target.has_changed().unwrap_or(false) {
            self.follow_target();
        }
        self.take_due().await?;
        let now = Instant::now();
        let marks = if now >= self.idle_due { Marks::Take } else { Marks::Leave };
        let runs = self.inbox.take(marks);
        if !runs.is_empty() {
            self.reader.wake();
            flush::flush(self, Batch::new(runs)).await?;
            self.idle_due = Instant::now() + IDLE_EVERY;
            self.look_due = Instant::now() + LOOK_EVERY;
        } else if now >= self.look_due && !self.taken.is_empty() {
            flush::look(self).await?;
            self.look_due = Instant::now() + LOOK_EVERY;
        } else {
            self.wait().await;
        }
        Ok(())
    }

    /// Waits for anything to do.
    async fn wait(&mut self) {
        let far = Instant::now() + LOOK_EVERY;
        let idle = if self.inbox.has_marks() { self.idle_due } else { far };
        let due = self.wanted.values().map(|wanted| wanted.due).min().unwrap_or(far).min(idle);
        tokio::select! {
            () = self.inbox.filled() => {}
            // The sender lives in the handle; when it is gone the phase changes too.
            _ = self.target.changed() => self.target.mark_changed(),
            _ = self.phases.changed() => {}
            () = sleep_until(due) => {}
        }
    }

    fn follow_target(&mut self) {
        let target: BTreeSet<_> =
            self.target.borrow_and_update().iter().filter(|p| (self.is_mine)(p)).cloned().collect();
        let released = |partition: &Arc<Partition>| !target.contains(partition);
        for (partition, _) in self.wanted.extract_if(.., |partition, _| released(partition)) {
            self.shared.relieve(&taking(&self.name, &partition));
        }
        for (partition, _) in self.taken.extract_if(.., |partition, _| released(partition)) {
            self.reader.send(Command::Release { partition });
        }
        if target.is_empty() {
            self.shared.relieve(&self.name);
        }
        let now = Instant::now();
        for partition in target {
            match self.taken.get(&partition) {
                // Gone and back before this task looked: the status has forgotten where it stands.
                Some(taken) => self.shared.at(&partition, taken.topic_id, taken.expected),
                None => {
                    let new = Wanted { due: now, since: now, backoff: Backoff::default() };
                    self.wanted.entry(partition).or_insert(new);
                }
            }
        }
    }

    /// Tries to take every wanted partition whose time has come.
    async fn take_due(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let due = self.wanted.iter().filter(|(_, wanted)| wanted.due <= now);
        let due: Vec<Arc<Partition>> = due.map(|(partition, _)| Arc::clone(partition)).collect();
        for partition in due {
            let outcome = self.take(&partition).await;
            self.settle(&partition, outcome)?;
        }
        Ok(())
    }

    async fn take(&mut self, partition: &Arc<Partition>) -> Result<(), NotTaken> {
        let facts = acquire::look_up(&self.shared, partition).await?;
        let limit = self.shared.settings.flush_timeout;
        let sink = &self.shared.sink_name;
        let connection = &mut self.connection;
        let attempt = async {
            let conn = connection.get().await.map_err(NotTaken::Database)?;
            acquire::take(conn, sink, partition, facts).await
        };
        let timed_out = |_| Err(NotTaken::Database(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
        let stored = tokio::time::timeout(limit, attempt).await.unwrap_or_else(timed_out)?;
        let taken = Taken { topic_id: stored.topic_id, expected: stored.next_offset, epoch: 0 };
        self.taken.insert(Arc::clone(partition), taken);
        self.shared.ends_at(partition, facts.end);
        self.read_from(partition, stored.next_offset);
        tracing::info!(%partition, offset = stored.next_offset, "partition taken by the sink");
        Ok(())
    }

    /// Makes the reader read the partition from `offset`; what it read before becomes stale.
    pub(super) fn read_from(&mut self, partition: &Arc<Partition>, offset: i64) {
        let Some(taken) = self.taken.get_mut(partition) else {
            return;
        };
        self.epochs += 1;
        taken.epoch = self.epochs;
        taken.expected = offset;
        self.shared.at(partition, taken.topic_id, offset);
        let (partition, epoch, inbox) = (Arc::clone(partition), self.epochs, Arc::clone(&self.inbox));
        self.reader.send(Command::Read { partition, epoch, offset, inbox });
    }

    /// Draws the consequence of an attempt to take a partition.
    fn settle(&mut self, partition: &Arc<Partition>, outcome: Result<(), NotTaken>) -> Result<(), Failure> {
        let who = taking(&self.name, partition);
        let Some(wanted) = self.wanted.get_mut(partition) else {
            return Ok(());
        };
        let error = match outcome {
            Ok(()) => {
                self.wanted.remove(partition);
                self.shared.relieve(&who);
                return Ok(());
            }
            Err(NotTaken::Never(failure)) => return Err(failure),
            Err(NotTaken::BeyondEnd(failure)) if wanted.since.elapsed() >= BEYOND_END_FOR => {
                return Err(failure);
            }
            Err(NotTaken::BeyondEnd(failure)) => failure.to_string(),
            Err(NotTaken::Kafka(error)) => error,
            Err(NotTaken::Database(error)) => {
                self.connection.discard();
                if class(&error, None) != Class::Transient {
                    return Err(Failure::Database(error.to_string()));
                }
                error.to_string()
            }
        };
        wanted.due = Instant::now() + wanted.backoff.pause();
        self.shared.trouble(&who, wanted.backoff.attempts(), &error);
        Ok(())
    }
}

/// Returns who has trouble when a writer cannot take a partition.
fn taking(writer: &str, partition: &Partition) -> String {
    format!("{writer} taking {partition}")
}
