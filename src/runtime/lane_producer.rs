//! How a lane gets its producer, and a new one in the place of one that cannot go on.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use millpond_mutants::{Mutant, is};

use super::lane::{Lane, OFFSETS_TIMEOUT, RETRY};
use super::lane_error::LaneError;
use super::shared::STUCK_MAX;
use crate::engine::{Class, Event, Phase, Reason};
use crate::kafka::{CallError, Producer, classify};

/// How often a membership that is to be confirmed is looked at.
const CONFIRM_POLL: Duration = Duration::from_millis(10);

impl Lane {
    /// Puts the current producer away.
    pub(super) fn retire(&mut self, reason: Reason) -> Result<(), LaneError> {
        tracing::info!(lane = %self.name, reason = reason.label(), "producer is replaced");
        let Some(producer) = self.producer.take() else { return Ok(()) };
        // Only after a watchdog a call is still out; the worker then ends with it.
        if self.hung {
            producer.abandon(&self.shared.abandoned);
        } else {
            drop(producer);
        }
        self.hung = false;
        self.check_stuck()
    }

    fn check_stuck(&self) -> Result<(), LaneError> {
        let stuck = self.shared.stuck();
        if stuck > STUCK_MAX { Err(LaneError::TooManyAbandoned(stuck)) } else { Ok(()) }
    }

    /// Gets a new producer with the same transactional id started, which fences the one before. Only as a member of the group,
    /// looked at before every attempt: one that slept beyond its session may have been replaced by another process with the
    /// same ids, which it must not fence. Returns [`Event::Lost`] when the transaction is to be left to the next owner, and
    /// nothing when there is none and [`Lane::recover`] is to be called once there is a fence, or when the process stops.
    pub(super) fn replace_as_member(&mut self) -> Result<Option<Event>, LaneError> {
        let begun = Instant::now();
        loop {
            self.shared.stamp(thread::current().name().unwrap_or_default());
            if self.shared.fatal().is_some() {
                return Err(LaneError::Stopping);
            }
            let idle = self.commit.phase() == Phase::Recycling;
            let asked = !is(Mutant::ReplacedUnconfirmed);
            if asked && (self.notice_loss() || self.shared.ownership().snapshot().fence.is_none()) {
                return Ok((!idle).then_some(Event::Lost));
            }
            // Nothing is open: the tasks can be closed without a producer.
            if idle && self.shared.is_stopping() {
                return Ok(None);
            }
            if asked && !self.shared.is_member_since(self.fenced) {
                self.waits(
                    "the group's coordinator is to confirm this member, before its producer is replaced",
                );
                thread::sleep(CONFIRM_POLL);
            } else if self.start_producer(begun)? {
                return Ok(Some(Event::ProducerReplaced));
            }
        }
    }

    /// Replaces a producer that was put away when this process was no member, once it is one again.
    ///
    /// # Errors
    /// [`LaneError`].
    pub(crate) fn recover(&mut self) -> Result<(), LaneError> {
        if self.phase() != Phase::Recycling || self.shared.ownership().snapshot().fence.is_none() {
            return Ok(());
        }
        match self.replace_as_member()? {
            Some(event) => self.step(event).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Tries once to get a producer started, since `begun`; returns whether it runs.
    pub(super) fn start_producer(&mut self, begun: Instant) -> Result<bool, LaneError> {
        self.check_stuck()?;
        self.waits(&format!("producer {} starts", self.transactional_id));
        match self.try_producer() {
            Ok(producer) => {
                self.goes_on();
                let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(lane = %self.name, ms, "producer runs");
                self.producer = Some(producer);
                self.fenced = None;
                Ok(true)
            }
            Err(error) => {
                match classify(&error) {
                    Class::Stop => {
                        return Err(LaneError::Refused { id: self.transactional_id.clone(), error });
                    }
                    Class::Fenced => self.fenced = Some(Instant::now()),
                    _ => {}
                }
                tracing::warn!(lane = %self.name, %error, "producer does not start, trying again");
                self.waits(&format!("producer {} does not start: {error}", self.transactional_id));
                thread::sleep(RETRY);
                Ok(false)
            }
        }
    }

    fn try_producer(&mut self) -> Result<Producer, CallError> {
        let mut producer = Producer::new(&self.settings.producer, &self.transactional_id)?;
        // Also the probe of the cluster: no call that can hang is made before it answers.
        producer.warm_up(&self.warm_up_topic, Duration::from_secs(5))?;
        let patience = self.settings.producer.transaction_timeout * 2;
        producer.init(patience);
        let shared = Arc::clone(&self.shared);
        let stamp = || shared.stamp(thread::current().name().unwrap_or_default());
        match producer.reply(patience + OFFSETS_TIMEOUT, stamp) {
            Some(reply) => reply.result.map(|()| producer),
            None => {
                producer.abandon(&self.shared.abandoned);
                Err(CallError {
                    retriable: true,
                    ..CallError::plain(crate::kafka::code::TIMED_OUT, "init_transactions hangs".to_owned())
                })
            }
        }
    }
}
