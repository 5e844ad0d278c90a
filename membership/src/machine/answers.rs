//! What each answer of a broker does.

use std::time::Instant;

use millpond_mutants::{Mutant, is};

use crate::{
    PROTOCOL_NAME,
    codec::{Assignment, Code, Found, Joined, Malformed, Reader, Request, Synced, beaten},
    event::Why,
    fence::Fence,
    machine::{
        flow::Machine,
        leader::lead,
        state::{Action, Asked, Purpose, State},
    },
};

/// JoinGroups in a row after which the next one waits: a confused coordinator must not be asked in a tight
/// loop.
const JOINS_IN_VAIN_MAX: u32 = 3;

impl Machine {
    pub(super) fn answer(
        &mut self,
        now: Instant,
        asked: Asked,
        body: Reader<'_>,
        out: &mut Vec<Action>,
    ) -> Result<(), Malformed> {
        match self.state {
            State::Finding { .. } => {
                let found = Found::read(body)?;
                self.found(now, found, out);
            }
            State::Joining { .. } => {
                let joined = Joined::read(body)?;
                self.joined(now, joined, out)?;
            }
            State::Syncing { generation, .. } => {
                let synced = Synced::read(body)?;
                self.synced(now, generation, synced, out)?;
            }
            State::Stable { beat, .. } => {
                let code = beaten(body)?;
                self.state = State::Stable { beat, asked: None };
                self.beat_answered(now, asked, code, out);
            }
            // Left or not: there is nothing more to do about it.
            State::Leaving { .. } => self.end(out),
            State::Resting { .. } | State::Dialing { .. } | State::Lost { .. } | State::Ended => {
                return Err(Malformed("answer to nothing that was asked"));
            }
        }
        Ok(())
    }

    fn found(&mut self, now: Instant, found: Found, out: &mut Vec<Action>) {
        match (found.code, found.coordinator) {
            (Code::Fine, Some(coordinator)) => {
                self.coordinator = Some(coordinator.clone());
                self.hang_up(out);
                self.dial(now, coordinator, Purpose::Coordinate, out);
            }
            (code, _) => self.fail(now, code, out),
        }
    }

    fn joined(&mut self, now: Instant, joined: Joined, out: &mut Vec<Action>) -> Result<(), Malformed> {
        match joined.code {
            Code::Fine if joined.protocol == PROTOCOL_NAME => {
                let leads = joined.leader == joined.member;
                self.standing.hear(joined.generation);
                self.standing.call(&joined.member);
                // The old generation ends here: a hold that has run out must start again.
                self.hold(out);
                let assignments = if leads {
                    let peers = (joined.generation, joined.members.as_slice());
                    let topology = &self.identity.topology;
                    lead(&self.plan, self.assignor.as_ref(), topology, self.standing.known(), peers)
                } else {
                    Vec::new()
                };
                let generation = joined.generation;
                let request = Request::Sync { member: &joined.member, generation, assignments };
                let asked = self.ask(now, self.rebalance_wait(), request, out);
                self.state = State::Syncing { asked, generation };
            }
            Code::Fine => return Err(Malformed("JoinGroup answer: another protocol name")),
            Code::MemberIdRequired if !joined.member.is_empty() => {
                self.standing.call(&joined.member);
                self.join_again(now, out);
            }
            Code::UnknownMember if !self.standing.member.is_empty() => {
                // The only answer that permits an empty member id: with one, a static member throws out
                // whoever has its instance id now.
                self.standing.forget_member();
                if self.standing.fence().is_some() && !is(Mutant::UnknownMemberReplayed) {
                    self.lose(Why::UnknownMember, out);
                } else {
                    self.join_again(now, out);
                }
            }
            // It may know this process by another of its names.
            Code::FencedInstance if self.standing.call_otherwise() => self.join_again(now, out),
            code => self.fail(now, code, out),
        }
        Ok(())
    }

    fn synced(
        &mut self,
        now: Instant,
        generation: i32,
        synced: Synced,
        out: &mut Vec<Action>,
    ) -> Result<(), Malformed> {
        if synced.code == Code::FencedInstance && self.standing.call_otherwise() {
            self.join_again(now, out);
            return Ok(());
        }
        if synced.code != Code::Fine {
            self.fail(now, synced.code, out);
            return Ok(());
        }
        if self.standing.missed() {
            self.lose(Why::MissedGeneration, out);
            return Ok(());
        }
        let unfenced = |_| Malformed("SyncGroup answer: no member or generation");
        let instance = self.settings.instance.as_deref();
        let fence = Fence::new(&self.settings.group, &self.standing.member, instance, generation)
            .map_err(unfenced)?;
        let share = Assignment::decode(&synced.assignment).unwrap_or_else(|error| {
            let reason =
                format!("the leader's assignment cannot be read: {error}: run one version in all members");
            Assignment { blocked: vec![reason], ..Assignment::default() }
        });
        // The coordinator starts the session when it answers, and the answer was not there at the last step.
        self.standing.alive = self.stepped;
        self.rejoin = false;
        self.joins_in_vain = 0;
        self.backoff.reset();
        out.push(Action::Tell(self.standing.seat(fence, share)));
        self.release(out);
        self.block(self.standing.blocked().to_vec(), out);
        self.state = State::Stable { beat: now + self.settings.heartbeat_interval, asked: None };
        self.plan_again(now, out);
        Ok(())
    }

    fn beat_answered(&mut self, now: Instant, asked: Asked, code: Code, out: &mut Vec<Action>) {
        if matches!(code, Code::Fine | Code::Rebalancing) {
            self.standing.alive = self.standing.alive.max(asked.sent);
        }
        if code == Code::Fine {
            self.backoff.reset();
            // Whatever a broker on the way was blamed for is over.
            self.block(self.standing.blocked().to_vec(), out);
            self.plan_again(now, out);
        } else {
            self.fail(now, code, out);
        }
    }

    /// Does what an error means that the request at hand gives no meaning of its own.
    fn fail(&mut self, now: Instant, code: Code, out: &mut Vec<Action>) {
        match code {
            Code::FencedInstance => self.lose(Why::FencedInstance, out),
            Code::UnknownMember if self.standing.fence().is_some() && !is(Mutant::UnknownMemberReplayed) => {
                self.lose(Why::UnknownMember, out);
            }
            Code::Rejoin | Code::Rebalancing | Code::UnknownMember | Code::MemberIdRequired
                if !matches!(self.state, State::Finding { .. }) =>
            {
                self.join_again(now, out);
            }
            Code::Refused(reason) => {
                self.block(vec![format!("group {}: {reason}", self.settings.group)], out);
                self.rest(now, out);
            }
            // Fine without what makes it so is a confused broker.
            Code::Fine
            | Code::Away
            | Code::Rejoin
            | Code::Rebalancing
            | Code::UnknownMember
            | Code::MemberIdRequired => {
                self.rest(now, out);
            }
        }
    }

    fn join_again(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.joins_in_vain = self.joins_in_vain.saturating_add(1);
        if self.joins_in_vain > JOINS_IN_VAIN_MAX {
            self.rejoin = true;
            self.rest(now, out);
        } else {
            self.join(now, out);
        }
    }
}
