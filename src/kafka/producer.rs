//! The transactional producer: filling on the caller's thread, transaction calls on a thread of their own.
//!
//! `send_offsets` may hang past its timeout and a C call can neither be cancelled nor its handle destroyed under it. So the
//! calls run on a worker; on expiry worker and handle are abandoned together and end whenever the call does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use millpond_membership::Fence;
use millpond_topology::{OutputRun, OutputView};

use super::client_config::ClientConfig;
use super::errors::classify;
use super::events::{Noticed, drain};
use super::ffi::{
    Batch, CallError, DeliveryFailure, GroupMetadata, Handle, Kind, Position, Queue, ToProduce, Topic, code,
};
use crate::engine::Class;

/// Settings of the transactional producers of an instance.
#[derive(Debug, Clone)]
pub struct ProducerSettings {
    /// librdkafka configuration without transactional id.
    pub config: ClientConfig,
    /// `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// `retry.backoff.ms`: rule R3 judges calls by it.
    pub retry_backoff: Duration,
}

impl ProducerSettings {
    /// Returns the settings over the user's own keys in `config`.
    #[must_use]
    pub fn new(mut config: ClientConfig, transaction_timeout: Duration) -> Self {
        let retry_backoff = Duration::from_millis(100);
        config
            .set("enable.idempotence", "true")
            .set("transaction.timeout.ms", transaction_timeout.as_millis().to_string())
            .set("retry.backoff.ms", retry_backoff.as_millis().to_string())
            .set("delivery.report.only.error", "true")
            // Committing flushes, so lingering costs no latency.
            .default("linger.ms", "20")
            // A partition's whole transaction in one request where possible: librdkafka has only one request of an
            // idempotent producer in flight per partition, and its broker thread spins while the rest waits.
            .default("batch.size", "1000000")
            .default("batch.num.messages", "100000")
            // The topics' max.message.bytes decides what is too large; by default the client would refuse a dead letter
            // that its topic takes.
            .default("message.max.bytes", "10000000")
            .default("queue.buffering.max.messages", "0")
            .default("compression.type", "lz4");
        Self { config, transaction_timeout, retry_backoff }
    }
}

/// What is said when nobody acknowledges: librdkafka repeats what a broker refuses for want of replicas, and says nothing.
const UNACKNOWLEDGED: &str = "the brokers did not acknowledge the transaction in time: are enough replicas in sync \
                              (min.insync.replicas), and their leaders reachable?";

enum Call {
    Init(Duration),
    SendOffsets(Vec<Position>, Fence, Duration),
    Commit(Duration),
    Abort(Duration),
}

/// What a transaction call said.
#[derive(Debug)]
pub struct Reply {
    /// How long it took.
    pub took: Duration,
    /// What it said.
    pub result: Result<(), CallError>,
}

impl Reply {
    /// Returns the result by class.
    ///
    /// # Errors
    /// The class of the error.
    pub fn class(&self) -> Result<(), Class> {
        self.result.as_ref().copied().map_err(classify)
    }
}

/// A transactional producer.
pub struct Producer {
    // Field order is drop order: topics and queues before the handle; the worker ends when `calls` is dropped.
    topics: HashMap<String, Topic>,
    scratch: Batch,
    noticed: Noticed,
    main: Queue,
    calls: Sender<Call>,
    replies: Receiver<Reply>,
    handle: Arc<Handle>,
    transactional_id: String,
}

/// Counts the worker threads that are stuck in a call after their producer was abandoned.
pub type Abandoned = Arc<AtomicUsize>;

impl Producer {
    /// Creates a producer and its worker; it is not initialised yet.
    ///
    /// # Errors
    /// A configuration key that librdkafka refuses, or no thread.
    pub fn new(settings: &ProducerSettings, transactional_id: &str) -> Result<Self, CallError> {
        let mut config = settings.config.clone();
        config.set("transactional.id", transactional_id);
        let handle = Handle::new(Kind::Producer, config.iter())?;
        let main = Queue::main(&handle)?;
        let (calls, inbox) = bounded(1);
        let (outbox, replies) = bounded(1);
        let worker = Arc::clone(&handle);
        thread::Builder::new()
            .name(format!("txn-{transactional_id}"))
            .spawn(move || work(&worker, &inbox, &outbox))
            .map_err(|error| CallError::plain(-194, format!("thread for {transactional_id}: {error}")))?;
        Ok(Self {
            topics: HashMap::new(),
            scratch: Batch::default(),
            noticed: Noticed::default(),
            main,
            calls,
            replies,
            handle,
            transactional_id: transactional_id.to_owned(),
        })
    }

    /// Returns the transactional id.
    #[must_use]
    pub fn transactional_id(&self) -> &str {
        &self.transactional_id
    }

    /// Asks for metadata of `topic`, so that the first call does not wait for a timer of 500 ms: librdkafka sets it when no
    /// broker is connected. Over the answer it drops the connection that brought it, to an address from the settings, for one
    /// to the broker that this turned out to be; a second question waits for that one, as long as it comes soon.
    ///
    /// # Errors
    /// When no broker answers the first in `timeout`.
    pub fn warm_up(&self, topic: &str, timeout: Duration) -> Result<(), CallError> {
        /// A connection takes some 50 ms; whoever takes longer costs more than the timer.
        const SOON: Duration = Duration::from_millis(500);
        self.handle.partition_count(topic, timeout)?;
        if let Err(error) = self.handle.partition_count(topic, SOON) {
            tracing::debug!(%error, "the broker behind the first address is not connected yet");
        }
        Ok(())
    }

    /// Begins a transaction; no network.
    ///
    /// # Errors
    /// librdkafka's.
    pub fn begin(&mut self) -> Result<(), CallError> {
        self.noticed = Noticed::default();
        self.handle.begin_transaction()
    }

    /// Queues a run of outputs.
    ///
    /// # Errors
    /// The first record refused at once.
    pub fn produce_run(&mut self, topic: &str, partition: u32, run: &OutputRun) -> Result<(), CallError> {
        self.ensure_topic(topic)?;
        let Some(target) = self.topics.get(topic) else { return Ok(()) };
        for view in run.iter() {
            self.handle.produce(target, partition, &to_produce(&view), view.headers())?;
        }
        Ok(())
    }

    /// Queues changelog records; their timestamps mean nothing.
    ///
    /// # Errors
    /// The first record refused at once.
    pub fn produce_changelog<'r>(
        &mut self,
        topic: &str,
        partition: u32,
        records: impl Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
    ) -> Result<(), CallError> {
        self.ensure_topic(topic)?;
        let Some(target) = self.topics.get(topic) else { return Ok(()) };
        match self.handle.produce_batch(target, partition, records, &mut self.scratch).first() {
            None => Ok(()),
            Some(&failed) => Err(CallError::plain(failed, format!("produce to {topic}-{partition}"))),
        }
    }

    fn ensure_topic(&mut self, topic: &str) -> Result<(), CallError> {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), Topic::new(&self.handle, topic)?);
        }
        Ok(())
    }

    /// Waits until everything queued is acknowledged; `tick` is called about every 10 ms.
    ///
    /// # Errors
    /// The first failed delivery, or a fatal error of the instance, or a timeout (retriable).
    pub fn flush(&mut self, deadline: Instant, mut tick: impl FnMut()) -> Result<(), CallError> {
        loop {
            let empty = self.handle.flush(Duration::from_millis(10));
            drain(&self.main, &mut self.noticed);
            if let Some(fatal) = self.handle.fatal_error() {
                return Err(fatal);
            }
            // What is wrong with a record says more than that it stood beside it.
            let says_more = |failure: &&DeliveryFailure| failure.code != code::INVALID_DIFFERENT_RECORD;
            let failures = &self.noticed.failures;
            if let Some(failure) = failures.iter().find(says_more).or(failures.first()) {
                let what = format!("delivery to {}-{}", failure.topic, failure.partition);
                return Err(CallError { abortable: true, ..CallError::plain(failure.code, what) });
            }
            if empty {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let late = CallError::plain(code::TIMED_OUT, UNACKNOWLEDGED.to_owned());
                return Err(CallError { abortable: true, ..late });
            }
            tick();
        }
    }

    /// Hands `init_transactions` to the worker.
    pub fn init(&self, timeout: Duration) {
        self.call(Call::Init(timeout));
    }

    /// Hands `send_offsets_to_transaction` to the worker.
    pub fn send_offsets(&self, offsets: Vec<Position>, fence: Fence, timeout: Duration) {
        self.call(Call::SendOffsets(offsets, fence, timeout));
    }

    /// Hands `commit_transaction` to the worker.
    pub fn commit(&self, timeout: Duration) {
        self.call(Call::Commit(timeout));
    }

    /// Hands `abort_transaction` to the worker, which repeats it while it is retriable, up to `timeout`.
    pub fn abort(&self, timeout: Duration) {
        self.call(Call::Abort(timeout));
    }

    fn call(&self, call: Call) {
        // The worker holds the other end as long as this producer lives; one call is out at a time.
        let _ = self.calls.send(call);
    }

    /// Waits for the reply of the call that is out, up to `watchdog`; `None` = it hangs. `tick` runs every few ms.
    pub fn reply(&mut self, watchdog: Duration, mut tick: impl FnMut()) -> Option<Reply> {
        let begun = Instant::now();
        loop {
            match self.replies.recv_timeout(Duration::from_millis(5)) {
                Ok(reply) => return Some(reply),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // An abort waits until the reports of purged records are taken.
            drain(&self.main, &mut self.noticed);
            if begun.elapsed() >= watchdog {
                return None;
            }
            tick();
        }
    }

    /// Leaves a producer whose call hangs to its worker, which destroys it when the call returns.
    pub fn abandon(self, abandoned: &Abandoned) {
        abandoned.fetch_add(1, Ordering::SeqCst);
        let (counter, replies, handle) =
            (Arc::clone(abandoned), self.replies.clone(), Arc::clone(&self.handle));
        drop(self);
        let name = "txn-abandoned".to_owned();
        let waiting = thread::Builder::new().name(name).spawn(move || {
            // Ends when the worker has returned from its call and dropped its end.
            while replies.recv().is_ok() {}
            drop(handle);
            counter.fetch_sub(1, Ordering::SeqCst);
        });
        if let Err(error) = waiting {
            tracing::error!(%error, "no thread to watch an abandoned producer");
        }
    }
}

fn to_produce<'a>(view: &OutputView<'a>) -> ToProduce<'a> {
    ToProduce { key: view.key(), value: view.value(), timestamp_ms: view.timestamp_ms() }
}

fn work(handle: &Arc<Handle>, inbox: &Receiver<Call>, outbox: &Sender<Reply>) {
    while let Ok(call) = inbox.recv() {
        let begun = Instant::now();
        let result = match call {
            Call::Init(timeout) => handle.init_transactions(timeout),
            Call::SendOffsets(offsets, fence, timeout) => {
                GroupMetadata::new(&fence).and_then(|group| handle.send_offsets(&offsets, &group, timeout))
            }
            Call::Commit(timeout) => handle.commit_transaction(timeout),
            Call::Abort(timeout) => abort(handle, begun + timeout),
        };
        if outbox.send(Reply { took: begun.elapsed(), result }).is_err() {
            break;
        }
    }
}

fn abort(handle: &Handle, deadline: Instant) -> Result<(), CallError> {
    loop {
        match handle.abort_transaction(Duration::from_millis(50)) {
            Err(error) if error.retriable && Instant::now() < deadline => {}
            result => return result,
        }
    }
}
