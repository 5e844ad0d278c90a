//! What the machine sends, and when.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millpond_mutants::{Mutant, is};

use crate::{
    codec::{Join, Request, Subscription, encode},
    event::{Leave, Why},
    machine::{
        flow::Machine,
        state::{Action, Asked, Purpose, State},
    },
    settings::HostPort,
};

/// Longest wait for a connection or for an answer that the coordinator gives at once.
const ANSWER_TIMEOUT_MAX: Duration = Duration::from_secs(3);

impl Machine {
    /// Starts another generation if the engine's report calls for it and nothing is out.
    pub(super) fn plan_again(&mut self, now: Instant, out: &mut Vec<Action>) {
        if matches!(self.state, State::Stable { asked: None, .. }) && self.standing.wants_plan() {
            self.join(now, out);
        }
    }

    pub(super) fn join(&mut self, now: Instant, out: &mut Vec<Action>) {
        let subscription = Subscription {
            instance: self.settings.instance.clone(),
            identity: self.identity.clone(),
            owned: self.standing.claim(),
            lag: self.standing.report.lag.clone(),
        };
        let subscription = subscription.encode(&self.plan);
        let mut member = self.standing.member.clone();
        if is(Mutant::EmptyMemberRejoin)
            && self.settings.instance.is_some()
            && self.standing.fence().is_none()
        {
            member.clear();
        }
        self.rejoin = true;
        self.hold(out);
        let request = Request::Join(Join { member: &member, subscription });
        let asked = self.ask(now, self.rebalance_wait(), request, out);
        self.state = State::Joining { asked };
    }

    pub(super) fn beat(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(fence) = self.standing.fence().cloned() else {
            return;
        };
        let request = Request::Beat { member: fence.member(), generation: fence.generation() };
        let asked = self.ask(now, self.answer_timeout(), request, out);
        self.state = State::Stable { beat: now + self.settings.heartbeat_interval, asked: Some(asked) };
    }

    pub(super) fn leave(&mut self, now: Instant, how: Leave, out: &mut Vec<Action>) {
        let fenced = matches!(self.state, State::Lost { why: Why::FencedInstance });
        let coordinator = self.coordinator.clone().filter(|_| !self.standing.member.is_empty() && !fenced);
        self.release(out);
        match (how, coordinator) {
            (Leave::Gone, Some(coordinator)) => match self.state {
                State::Stable { asked: None, .. } => self.send_leave(now, out),
                // The coordinator reads one request at a time per connection: do not queue behind a
                // JoinGroup.
                _ => {
                    self.hang_up(out);
                    self.dial(now, coordinator, Purpose::Leave, out);
                }
            },
            (Leave::Gone, None) | (Leave::Back, _) => self.end(out),
        }
    }

    pub(super) fn send_leave(&mut self, now: Instant, out: &mut Vec<Action>) {
        let member = self.standing.member.clone();
        let asked = self.ask(now, self.answer_timeout(), Request::Leave { member: &member }, out);
        self.state = State::Leaving { asked };
    }

    pub(super) fn dial(&mut self, now: Instant, to: HostPort, purpose: Purpose, out: &mut Vec<Action>) {
        let timeout = self.answer_timeout();
        self.frames.clear();
        self.peer = Some(to.clone());
        out.push(Action::Connect { to, timeout });
        self.state = State::Dialing { purpose, until: now + timeout };
    }

    pub(super) fn ask(
        &mut self,
        now: Instant,
        wait: Duration,
        request: Request<'_>,
        out: &mut Vec<Action>,
    ) -> Asked {
        self.correlation = self.correlation.wrapping_add(1);
        let bytes: Bytes = encode(&self.settings, self.correlation, request);
        out.push(Action::Send(bytes));
        Asked { correlation: self.correlation, sent: now, until: now + wait }
    }

    /// Half a session at most: a silent coordinator is looked up again while there is time to reach its
    /// successor.
    pub(super) fn answer_timeout(&self) -> Duration {
        ANSWER_TIMEOUT_MAX.min(self.settings.session_timeout / 2)
    }

    /// The others may take a whole rebalance to join, and one that died a whole session to be noticed.
    pub(super) fn rebalance_wait(&self) -> Duration {
        self.settings.rebalance_timeout + self.settings.session_timeout
    }
}
