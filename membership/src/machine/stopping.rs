//! How the machine gives up: a connection, a membership, or for good.

use std::time::{Duration, Instant};

use crate::{
    codec::Malformed,
    event::{Event, Why},
    machine::{
        flow::Machine,
        state::{Action, State},
    },
};

/// Attempts in a row, 2 to 3 seconds of them, after which the engine is told.
const FAILURES_SILENT: u32 = 5;

impl Machine {
    /// Closes and tries again later, at the next bootstrap server; who is leaving does not come back.
    pub(super) fn rest(&mut self, now: Instant, out: &mut Vec<Action>) {
        if matches!(self.state, State::Leaving { .. }) {
            self.end(out);
            return;
        }
        self.hang_up(out);
        self.pause(now, out);
    }

    /// Waits before the next attempt, with no connection open.
    pub(super) fn pause(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.release(out);
        self.state = State::Resting { until: now + self.backoff.next() };
        if self.backoff.failures() >= FAILURES_SILENT && self.blocked.is_empty() {
            let peer = self.peer.as_ref().map(ToString::to_string).unwrap_or_default();
            let group = &self.settings.group;
            let reason = format!("the coordinator of group {group} is not reached; last tried: {peer}");
            self.block(vec![reason], out);
        }
    }

    /// Handles bytes that no Kafka broker sends.
    pub(super) fn fault(&mut self, now: Instant, error: Malformed, out: &mut Vec<Action>) {
        let peer = self.peer.as_ref().map(ToString::to_string).unwrap_or_default();
        let reason = format!("{peer} does not answer like a Kafka broker on a plaintext listener: {error}");
        self.block(vec![reason], out);
        self.rest(now, out);
    }

    pub(super) fn lose(&mut self, why: Why, out: &mut Vec<Action>) {
        self.hang_up(out);
        self.release(out);
        self.standing.lose();
        self.rejoin = true;
        out.push(Action::Tell(Event::Lost(why)));
        self.state = State::Lost { why };
    }

    pub(super) fn end(&mut self, out: &mut Vec<Action>) {
        self.hang_up(out);
        self.state = State::Ended;
    }

    pub(super) fn hang_up(&mut self, out: &mut Vec<Action>) {
        self.frames.clear();
        if self.state.is_connected() {
            out.push(Action::Close);
        }
    }

    /// Asks the engine to hold `send_offsets`; a member without a fence sends none.
    pub(super) fn hold(&mut self, out: &mut Vec<Action>) {
        if self.standing.fence().is_some() {
            self.held = true;
            out.push(Action::Tell(Event::Hold(true)));
        }
    }

    pub(super) fn release(&mut self, out: &mut Vec<Action>) {
        if self.held {
            self.held = false;
            out.push(Action::Tell(Event::Hold(false)));
        }
    }

    pub(super) fn block(&mut self, reasons: Vec<String>, out: &mut Vec<Action>) {
        if self.blocked != reasons {
            self.blocked.clone_from(&reasons);
            out.push(Action::Tell(Event::Blocked(reasons)));
        }
    }

    /// Loses the membership if the coordinator may have given it up; returns whether it did.
    pub(super) fn check_session(&mut self, now: Instant, out: &mut Vec<Action>) -> bool {
        let over = self.session_end().is_some_and(|end| now >= end);
        if over {
            self.lose(Why::SessionExpired, out);
        }
        over
    }

    /// Returns from when, at the latest, a coordinator counts this member's session, and how long the session is; `None`
    /// while it is in no generation.
    #[must_use]
    pub fn confirmed(&self) -> Option<(Instant, Duration)> {
        self.standing.fence().map(|_| (self.standing.alive, self.settings.session_timeout))
    }

    pub(super) fn session_end(&self) -> Option<Instant> {
        self.standing.fence().map(|_| self.standing.alive + self.settings.session_timeout)
    }
}
