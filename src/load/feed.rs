//! Carries what the generator makes to the producer, on schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::error::LoadError;
use super::generator::Generator;
use super::meter::Meter;
use super::pace::Pace;
use super::producer::{Transactions, Writer};
use super::record::Record;
use super::target::Target;

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_millis(1);

/// Records between two looks at the clock's and the broker's bad news.
const RECORDS_PER_LOOK: u64 = 256;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Accounts and deposits.
    Funding,
    /// Orders and the events around them.
    Orders,
}

/// A producer with a generator's records going into it.
pub struct Feed {
    writer: Writer,
    meter: Arc<Meter>,
}

impl Feed {
    /// Connects to the target.
    ///
    /// # Errors
    /// [`LoadError::Producer`] or [`LoadError::Unreachable`] when that is not possible.
    pub fn new(target: &Target, transactions: Option<Transactions>) -> Result<Self, LoadError> {
        let meter = Arc::new(Meter::default());
        let writer = Writer::new(target, transactions, Arc::clone(&meter))?;
        Ok(Self { writer, meter })
    }

    /// Returns the counters, which go on counting while [`Feed::run`] works.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Writes one phase and waits until the broker has all of it.
    ///
    /// # Errors
    /// When a record is not acknowledged, the producer fails, or `stop` becomes true before the end.
    pub fn run(
        &mut self,
        generator: &mut Generator,
        phase: Phase,
        pace: Pace,
        stop: &AtomicBool,
    ) -> Result<(), LoadError> {
        let mut next = |timestamp_ms| match phase {
            Phase::Funding => generator.next_funding(timestamp_ms),
            Phase::Orders => generator.next_order(timestamp_ms),
        };
        let (start, mut written) = (Instant::now(), 0_u64);
        loop {
            let due = pace.due(start.elapsed()).min(written.saturating_add(RECORDS_PER_LOOK));
            while written < due {
                match next(wall_ms()) {
                    Some(record) => self.write(record)?,
                    None => return self.writer.finish(),
                }
                written += 1;
            }
            if stop.load(Ordering::Relaxed) {
                return Err(LoadError::Stopped { sent: self.meter.sent() });
            }
            self.writer.check()?;
            if pace.due(start.elapsed()) <= written {
                std::thread::sleep(TICK);
            }
        }
    }

    fn write(&mut self, record: Record) -> Result<(), LoadError> {
        self.meter.add_sent(record.kind);
        self.writer.write(record)
    }
}

/// Returns the wall clock, ms since the epoch.
fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
