//! The Kafka side of load: an idempotent producer, with or without transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

use super::error::LoadError;
use super::meter::Meter;
use super::record::{Record, Stream};
use super::target::Target;

/// How long the broker may take to acknowledge what is queued, or to end a transaction.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait for acknowledgements between two looks whether a record failed.
const FLUSH_SLICE: Duration = Duration::from_millis(500);

/// How long to wait when the queue is full: a few milliseconds' worth of records leave it meanwhile.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(2);

/// How often a transaction that a broker's failure spoiled is written again.
const REWRITES_MAX: u32 = 5;

/// How long to wait before it is.
const REWRITE_WAIT: Duration = Duration::from_secs(1);

/// How input is cut into transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transactions {
    /// Records of a transaction.
    pub records: usize,
    /// Every so many transactions, the records are written and aborted first, then written again; 0 = never.
    pub abort_every: u64,
}

impl Default for Transactions {
    fn default() -> Self {
        // At 8,000/s two transactions per second: the client's commit costs 100 ms.
        Self { records: 4_000, abort_every: 5 }
    }
}

/// Counts what became of each record.
struct Deliveries {
    meter: Arc<Meter>,
    /// In a transaction: one of its records was not written.
    spoiled: Option<Arc<AtomicBool>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.meter.add_acknowledged(),
            // An abort throws away what is queued: the trace of an error, not one.
            Err((error, _)) if is_purged(error) => {}
            Err((error, _)) if let Some(spoiled) = &self.spoiled => {
                self.meter.note_failure(error);
                spoiled.store(true, Ordering::SeqCst);
            }
            Err((error, _)) => self.meter.add_failure(error),
        }
    }
}

/// What became of the records of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Written,
    Spoiled,
}

fn is_purged(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
}

/// Writes records, in transactions when told so.
pub(super) struct Writer {
    producer: ThreadedProducer<Deliveries>,
    config: ClientConfig,
    target: Target,
    transactions: Option<Transactions>,
    /// Records of the open transaction.
    open: Vec<Record>,
    /// One of them was not written.
    spoiled: Arc<AtomicBool>,
    ended: u64,
    meter: Arc<Meter>,
}

impl Writer {
    /// Connects a producer.
    pub(super) fn new(
        target: &Target,
        transactions: Option<Transactions>,
        meter: Arc<Meter>,
    ) -> Result<Self, LoadError> {
        let mut config = target.client_config();
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "500000")
            .set("queue.buffering.max.kbytes", "262144");
        if transactions.is_some() {
            config.set("transactional.id", format!("millpond-load-{}", uuid::Uuid::new_v4().simple()));
        }
        let spoiled = transactions.map(|_| Arc::default());
        let deliveries = Deliveries { meter: Arc::clone(&meter), spoiled: spoiled.clone() };
        let producer = connect(target, &config, deliveries)?;
        let (target, spoiled) = (target.clone(), spoiled.unwrap_or_default());
        Ok(Self { producer, config, target, transactions, open: Vec::new(), spoiled, ended: 0, meter })
    }

    /// Writes one record; ends the transaction when it is full.
    pub(super) fn write(&mut self, record: Record) -> Result<(), LoadError> {
        let Some(transactions) = self.transactions else {
            return self.send(&record);
        };
        if self.open.is_empty() {
            self.begin()?;
        }
        self.send_in_transaction(&record)?;
        self.open.push(record);
        if self.open.len() >= transactions.records { self.end(transactions) } else { Ok(()) }
    }

    /// Waits until everything is written; fails when a record was not.
    pub(super) fn finish(&mut self) -> Result<(), LoadError> {
        if let Some(transactions) = self.transactions.filter(|_| !self.open.is_empty()) {
            self.end(transactions)?;
        }
        self.flush()?;
        self.check()
    }

    /// Fails when a record was not written.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        match self.meter.failures() {
            (0, _) => Ok(()),
            (count, first) => Err(LoadError::Undelivered { count, first }),
        }
    }

    fn flush(&self) -> Result<(), LoadError> {
        let flushed = self.producer.flush(ACKNOWLEDGE_TIMEOUT);
        flushed.map_err(|source| LoadError::Producer { during: "flush", source })
    }

    fn begin(&self) -> Result<(), LoadError> {
        let begun = self.producer.begin_transaction();
        begun.map_err(|source| LoadError::Producer { during: "begin_transaction", source })
    }

    fn end(&mut self, transactions: Transactions) -> Result<(), LoadError> {
        self.ended += 1;
        if transactions.abort_every > 0 && self.ended.is_multiple_of(transactions.abort_every) {
            // The aborted copy must reach the log, else it is no test for anyone.
            match self.settle()? {
                Settled::Written => {
                    retried("abort_transaction", || self.producer.abort_transaction(ACKNOWLEDGE_TIMEOUT))?;
                }
                Settled::Spoiled => self.replace()?,
            }
            self.write_open()?;
        }
        let mut rewrites = 0;
        while self.settle()? == Settled::Spoiled {
            let (_, first) = self.meter.failures();
            if rewrites == REWRITES_MAX {
                return Err(LoadError::Transaction { rewrites, first });
            }
            // Its end was not asked for yet: nothing of it becomes visible. A broker that fails for a while is no reason to end.
            tracing::warn!(%first, "a transaction of the load is written again");
            rewrites += 1;
            std::thread::sleep(REWRITE_WAIT);
            self.replace()?;
            self.write_open()?;
        }
        retried("commit_transaction", || self.producer.commit_transaction(ACKNOWLEDGE_TIMEOUT))?;
        self.open.clear();
        Ok(())
    }

    /// Waits until every record of the open transaction is written, or one is not, or none has been told of for too long: what
    /// is left then stays where it is.
    fn settle(&self) -> Result<Settled, LoadError> {
        let began = Instant::now();
        loop {
            match self.producer.flush(FLUSH_SLICE) {
                _ if self.spoiled.load(Ordering::SeqCst) => return Ok(Settled::Spoiled),
                Ok(()) => return Ok(Settled::Written),
                Err(_) if began.elapsed() >= ACKNOWLEDGE_TIMEOUT => return Ok(Settled::Spoiled),
                Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {}
                Err(source) => return Err(LoadError::Producer { during: "flush", source }),
            }
        }
    }

    /// Goes on with a new producer, which ends the transaction of the old one: after a refused batch that one's sequence
    /// numbers are ahead of the broker's, and what it sends is neither taken nor refused.
    fn replace(&mut self) -> Result<(), LoadError> {
        // Of its own: what the old producer says last does not count.
        self.spoiled = Arc::default();
        let deliveries =
            Deliveries { meter: Arc::clone(&self.meter), spoiled: Some(Arc::clone(&self.spoiled)) };
        self.producer = connect(&self.target, &self.config, deliveries)?;
        Ok(())
    }

    /// Writes the records of the open transaction into a new one.
    fn write_open(&self) -> Result<(), LoadError> {
        self.begin()?;
        self.open.iter().try_for_each(|record| self.send_in_transaction(record))
    }

    /// Sends a record of a transaction that may be spoiled already: it is written again then.
    fn send_in_transaction(&self, record: &Record) -> Result<(), LoadError> {
        match self.send(record) {
            Err(LoadError::Producer {
                source: KafkaError::MessageProduction(RDKafkaErrorCode::State | RDKafkaErrorCode::Fatal),
                ..
            }) => Ok(()),
            sent => sent,
        }
    }

    fn send(&self, record: &Record) -> Result<(), LoadError> {
        let topic = match record.stream {
            Stream::Orders => &self.target.orders,
            Stream::Commands => &self.target.commands,
        };
        let partition = i32::try_from(record.partition).unwrap_or(i32::MAX);
        let mut message: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(topic).partition(partition).timestamp(record.timestamp_ms);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    // The open loop falls behind here and catches up as soon as the broker does.
                    self.check()?;
                    std::thread::sleep(QUEUE_FULL_WAIT);
                    message = back;
                }
                Err((source, _)) => {
                    return Err(LoadError::Producer { during: "send", source });
                }
            }
        }
    }
}

/// Connects a producer, initialised if it is to write transactions.
fn connect(
    target: &Target,
    config: &ClientConfig,
    deliveries: Deliveries,
) -> Result<ThreadedProducer<Deliveries>, LoadError> {
    let transactional = deliveries.spoiled.is_some();
    let producer: ThreadedProducer<Deliveries> = config
        .create_with_context(deliveries)
        .map_err(|source| LoadError::Producer { during: "its creation", source })?;
    if transactional {
        // Without a broker in its table the first init_transactions waits for up to a second.
        let warm = producer.client().fetch_metadata(Some(&target.orders), ACKNOWLEDGE_TIMEOUT);
        warm.map_err(|source| LoadError::Unreachable { brokers: target.brokers.clone(), source })?;
        retried("init_transactions", || producer.init_transactions(ACKNOWLEDGE_TIMEOUT))?;
    }
    Ok(producer)
}

/// Repeats a transactional call while librdkafka says that the same call again may succeed.
fn retried(during: &'static str, mut call: impl FnMut() -> KafkaResult<()>) -> Result<(), LoadError> {
    let began = Instant::now();
    loop {
        match call() {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && began.elapsed() < ACKNOWLEDGE_TIMEOUT => {}
            Err(source) => return Err(LoadError::Producer { during, source }),
        }
    }
}
