//! The thread that owns the partitions' queues: copies what was fetched into the writers' inboxes.

use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{Consumer as _, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::batch::{Arena, Partition, Run};
use super::failure::Failure;
use super::inbox::Inbox;
use super::shared::{PanicGuard, Shared};
use super::watch;

/// Longest sleep without a wake-up. Queues, inboxes and commands wake the thread at once; this also serves
/// the client's callbacks.
const SLEEP: Duration = Duration::from_millis(50);

/// What a writer asks of the reader.
pub(super) enum Command {
    /// Read this partition from `offset` under `epoch`, wherever it was read before.
    Read { partition: Arc<Partition>, epoch: u64, offset: i64, inbox: Arc<Inbox> },
    /// Read it no more.
    Release { partition: Arc<Partition> },
}

/// Way to the reader thread.
#[derive(Clone)]
pub(super) struct ReaderLine {
    commands: Sender<Command>,
    thread: Thread,
}

impl ReaderLine {
    /// Sends a command; a reader that has ended needs none.
    pub(super) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
        self.wake();
    }

    /// Wakes the thread: there is room in an inbox, or the phase has changed.
    pub(super) fn wake(&self) {
        self.thread.unpark();
    }
}

/// Starts the thread.
///
/// # Errors
/// [`std::io::Error`] when the system has no thread left.
pub(super) fn spawn(shared: Arc<Shared>) -> std::io::Result<(ReaderLine, thread::JoinHandle<()>)> {
    let (commands, received) = crossbeam_channel::unbounded();
    let handle = thread::Builder::new().name("sink-reader".to_owned()).spawn(move || {
        let _guard = PanicGuard(Arc::clone(&shared), "reader thread");
        let mut reader = Reader { shared, received, sources: Vec::new() };
        reader.run();
    })?;
    Ok((ReaderLine { commands, thread: handle.thread().clone() }, handle))
}

struct Reader {
    shared: Arc<Shared>,
    received: Receiver<Command>,
    sources: Vec<Source>,
}

/// One partition being read.
struct Source {
    partition: Arc<Partition>,
    epoch: u64,
    /// Everything below is in an inbox or beyond.
    cursor: i64,
    inbox: Arc<Inbox>,
    queue: PartitionQueue<DefaultConsumerContext>,
}

impl Reader {
    fn run(&mut self) {
        while self.shared.is_served() {
            while let Ok(command) = self.received.try_recv() {
                self.obey(command);
            }
            self.serve_client();
            let mut has_moved = false;
            for index in 0..self.sources.len() {
                has_moved |= self.fill(index);
            }
            if has_moved {
                // So that no partition is always the first to find room.
                self.sources.rotate_left(1);
            } else {
                thread::park_timeout(SLEEP);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let done = match command {
            Command::Release { partition } => self.release(&partition),
            Command::Read { partition, epoch, offset, inbox } => {
                self.release(&partition).and_then(|()| self.read(partition, epoch, offset, inbox))
            }
        };
        if let Err(error) = done {
            self.shared.fail(Failure::Kafka(error.to_string()));
        }
    }

    fn release(&mut self, partition: &Arc<Partition>) -> Result<(), KafkaError> {
        let before = self.sources.len();
        self.sources.retain(|source| source.partition != *partition);
        if self.sources.len() == before {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.number);
        self.shared.consumer.incremental_unassign(&list)
    }

    fn read(
        &mut self,
        partition: Arc<Partition>,
        epoch: u64,
        offset: i64,
        inbox: Arc<Inbox>,
    ) -> Result<(), KafkaError> {
        let consumer = &self.shared.consumer;
        // Before assigning, so that no record ever reaches the common queue.
        let Some(mut queue) = consumer.split_partition_queue(&partition.topic, partition.number) else {
            return Err(KafkaError::Subscription(format!("no queue for {partition}")));
        };
        let reader = thread::current();
        queue.set_nonempty_callback(move || reader.unpark());
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))?;
        consumer.incremental_assign(&list)?;
        self.sources.push(Source { partition, epoch, cursor: offset, inbox, queue });
        Ok(())
    }

    /// Serves callbacks and errors that concern no partition. Partitions have queues of their own.
    fn serve_client(&self) {
        match self.shared.consumer.poll(Duration::ZERO) {
            None => {}
            Some(Ok(message)) if !self.is_read(message.topic(), message.partition()) => {
                // Left over from before a release: nobody waits for it.
            }
            Some(Ok(message)) => self.shared.fail(Failure::Bug(format!(
                "{}-{}@{} came by the common queue",
                message.topic(),
                message.partition(),
                message.offset()
            ))),
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                self.shared.fail(Failure::Kafka(code.to_string()));
            }
            Some(Err(error)) => self.shared.note(format!("Kafka: {error}")),
        }
    }

    fn is_read(&self, topic: &str, partition: i32) -> bool {
        let is_it = |source: &Source| source.partition.topic == topic && source.partition.number == partition;
        self.sources.iter().any(is_it)
    }

    /// Moves what is fetched of one partition into its inbox; returns whether there was anything.
    fn fill(&mut self, index: usize) -> bool {
        let Some(source) = self.sources.get_mut(index) else {
            return false;
        };
        let (room_rows, room_bytes) = source.inbox.room();
        let (mut arena, mut records, mut to) = (Arena::default(), Vec::new(), source.cursor);
        while records.len() < room_rows && arena.len() < room_bytes {
            match source.queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) if message.offset() < to => {
                    // Left over from before a seek: already seen, or not asked for.
                }
                Some(Ok(message)) => {
                    to = message.offset().saturating_add(1);
                    records.push(arena.record(&message));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    to = to.max(position(&self.shared, &source.partition).unwrap_or(to));
                }
                Some(Err(error)) => report(&self.shared, &source.partition, to, &error),
            }
        }
        if to == source.cursor {
            return false;
        }
        let from = std::mem::replace(&mut source.cursor, to);
        let (partition, epoch) = (Arc::clone(&source.partition), source.epoch);
        source.inbox.push(Run { partition, epoch, from, to, records, arena: Arc::new(arena) });
        true
    }
}

/// Where the client stands in the partition. Unlike the last record's offset it covers transaction markers.
/// Exact, because only this thread takes records off the queue.
fn position(shared: &Shared, partition: &Partition) -> Option<i64> {
    let all = shared.consumer.position().ok()?;
    match all.find_partition(&partition.topic, partition.number)?.offset() {
        Offset::Offset(offset) => Some(offset),
        // Nothing was taken since the assignment: it stands where it was assigned.
        _ => None,
    }
}

fn report(shared: &Shared, partition: &Partition, next_offset: i64, error: &KafkaError) {
    match error {
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
        ) => match watch::diagnose(shared, partition, next_offset) {
            Ok(Some(failure)) => shared.fail(failure),
            Ok(None) => shared.fail(Failure::Kafka(format!("{partition}@{next_offset}: {error}"))),
            // The watcher asks again every second.
            Err(unanswered) => shared.note(format!("{partition}@{next_offset}: {error}; {unanswered}")),
        },
        KafkaError::MessageConsumptionFatal(code) => shared.fail(Failure::Kafka(code.to_string())),
        error => shared.note(format!("{partition}: {error}")),
    }
}
