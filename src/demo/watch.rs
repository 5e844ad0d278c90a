//! Watches child, broker and orders at the same time, and notices when one of them is in trouble.

use std::time::{Duration, Instant};

use super::child::Processor;
use super::drain::{Levels, Stall};
use super::error::DemoError;
use super::history::History;
use super::http::get;
use super::interrupt::Interrupt;
use super::loader::Loader;
use super::metrics::Samples;
use super::offsets::{Place, Probe};
use super::plan::Plan;
use super::screen::{Frame, Screen};
use super::status::{Input, inputs};
use crate::load::Generator;

/// How often broker and metrics are asked.
const PERIOD: Duration = Duration::from_millis(100);

/// How often while a moment is being measured.
const SHORT_PERIOD: Duration = Duration::from_millis(20);

/// How long nothing at all may move.
const STALL: Duration = Duration::from_secs(60);

/// What moves while anything works: records written, committed, restored, sunk.
type Sign = (u64, u64, u64, Option<u64>);

/// Everything that is watched.
pub(super) struct Watch<'a> {
    pub(super) plan: &'a Plan,
    pub(super) probe: &'a Probe,
    pub(super) screen: &'a mut Screen,
    pub(super) interrupt: &'a Interrupt,
    pub(super) processor: Processor,
    pub(super) loader: Option<Loader>,
    /// Ends of the changelog so far.
    pub(super) history: History,
    /// Input partitions at the last look.
    pub(super) places: Vec<Place>,
    /// Lags at the last look.
    pub(super) levels: Levels,
    /// Changelog records that the present child has restored.
    pub(super) restored: u64,
    began: Instant,
    period: Duration,
    looked: Option<Duration>,
    stall: Stall<Sign>,
    /// Transactions of the present child, and of those before it.
    transactions: (u64, u64),
}

impl<'a> Watch<'a> {
    /// Begins to watch a child that was just started.
    pub(super) fn new(
        plan: &'a Plan,
        probe: &'a Probe,
        screen: &'a mut Screen,
        interrupt: &'a Interrupt,
        processor: Processor,
    ) -> Self {
        let (levels, stall) = (Levels::default(), Stall::new(Duration::ZERO, STALL));
        let (history, began) = (History::default(), Instant::now());
        let (loader, places, looked) = (None, Vec::new(), None);
        Self {
            plan,
            probe,
            screen,
            interrupt,
            processor,
            loader,
            history,
            places,
            levels,
            restored: 0,
            began,
            period: PERIOD,
            looked,
            stall,
            transactions: (0, 0),
        }
    }

    /// Returns the time since the watch began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Looks at everything once and waits a moment; `waiting_for` is named when nothing moves any more.
    pub(super) fn look(&mut self, waiting_for: &'static str) -> Result<(), DemoError> {
        self.check()?;
        let now = self.now();
        if self.looked.is_none_or(|looked| now.saturating_sub(looked) >= self.period) {
            self.looked = Some(now);
            self.ask(now)?;
            let sign = (self.written(), self.committed(), self.restored, self.levels.sink_lag);
            if self.stall.observe(now, sign) {
                let (log, tail) = (self.processor.log(), self.processor.tail());
                return Err(DemoError::Stalled { what: waiting_for, seconds: STALL.as_secs(), log, tail });
            }
            let frame = self.frame(now);
            if self.loader.is_some() {
                self.screen.show(frame);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    }

    /// Fails when the user has interrupted, the child has ended, or the orders cannot be written.
    pub(super) fn check(&mut self) -> Result<(), DemoError> {
        self.interrupt.check()?;
        self.processor.check()?;
        self.loader.as_mut().map_or(Ok(()), Loader::check)
    }

    /// Returns the generator of the orders once all of them are written.
    pub(super) fn all_written(&self) -> Option<&Generator> {
        self.loader.as_ref().and_then(Loader::done)
    }

    /// Looks more often until `moment` has come.
    pub(super) fn until(
        &mut self,
        waiting_for: &'static str,
        moment: impl Fn(&Self) -> bool,
    ) -> Result<(), DemoError> {
        self.period = SHORT_PERIOD;
        while !moment(self) {
            self.look(waiting_for)?;
        }
        self.period = PERIOD;
        Ok(())
    }

    /// Returns the inputs as the child sees them now; none while it does not answer.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let answer = get(self.processor.address(), "/status");
        answer.map_or_else(|_| Vec::new(), |answer| inputs(&answer.body))
    }

    /// Puts another child in the place of one that was killed.
    pub(super) fn put(&mut self, processor: Processor) {
        let (present, before) = self.transactions;
        self.transactions = (0, before + present);
        self.restored = 0;
        self.processor = processor;
    }

    /// Begins to show the orders' progress.
    pub(super) fn begin(&mut self, loader: Loader) {
        self.loader = Some(loader);
        let frame = self.frame(self.now());
        self.screen.begin(frame);
    }

    /// Returns how many orders were written so far.
    pub(super) fn written(&self) -> u64 {
        self.loader.as_ref().map_or(0, Loader::orders)
    }

    /// Returns how many input offsets are committed, over all partitions.
    pub(super) fn committed(&self) -> u64 {
        self.places.iter().map(Place::committed_len).sum()
    }

    /// Returns how many offsets of the orders' topic are committed.
    pub(super) fn processed(&self) -> u64 {
        let orders = &self.plan.config.topics.orders.name;
        self.places.iter().filter(|place| place.topic == *orders).map(Place::committed_len).sum()
    }

    fn ask(&mut self, now: Duration) -> Result<(), DemoError> {
        self.places = self.probe.inputs()?;
        self.history.note(now, self.probe.changelog_ends()?);
        let scrape = get(self.processor.address(), "/metrics").ok();
        let samples = scrape.filter(|answer| answer.code == 200).map(|answer| Samples::new(answer.body));
        let known = |family| samples.as_ref().filter(|s| s.has(family)).map(|s| s.sum(family, &[]));
        self.levels = Levels {
            kafka_lag: Some(self.places.iter().map(Place::lag).sum()),
            source_lag: known("millpond_source_lag_offsets"),
            sink_lag: known("millpond_sink_lag_offsets"),
        };
        if let Some(samples) = &samples {
            self.transactions.0 = samples.sum("millpond_transactions_total", &[("outcome", "committed")]);
            self.restored = samples.sum("millpond_restore_records_total", &[]);
        }
        Ok(())
    }

    fn frame(&self, at: Duration) -> Frame {
        Frame {
            at,
            written: self.written(),
            processed: self.processed(),
            lag: self.levels.kafka_lag,
            transactions: self.transactions.0 + self.transactions.1,
            sink_lag: self.levels.sink_lag,
        }
    }
}
