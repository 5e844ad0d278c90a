//! The commit state machine of one producer.
//!
//! ```text
//! Idle ─begin─▶ Open ─due─▶ Sending ─offsets ok─▶ OffsetsSent ─▶ Committing ─ok─▶ Committed ─applied─▶ Idle
//!                 │             │                      │              │
//!                 └─────────────┴──────────┬───────────┘              └─ any error ─▶ Unknown
//!                                          ▼                                            │ resolve by fencing
//!                                       Aborting ─▶ Aborted ─redo or drop─▶ Idle         ▼
//!                                                                            Committed | Aborted | dropped
//! ```
//!
//! A loss of membership leads from `Fencing` and `Unknown` to `Dropping`: the next owner of the tasks ends the transaction.
//! `Unknown` has no edge to `Aborting` and none to `Open`: aborting a transaction that may have committed loses the
//! outputs of one that did not and duplicates those of one that did. Between transactions an impure producer is replaced
//! first (`Recycling`, rule R3).

use std::time::Duration;

use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use super::class::Class;
use super::commit_terms::{Action, Event, Illegal, Limits, Member, Phase, Reason, Stage, Txn, name};
use super::resolve::{Judgement, Verdict};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    stage: Stage,
    limits: Limits,
    fenced_at: Option<Duration>,
}

/// Splits the tasks of a transaction into those still owned and the rest.
fn kept(txn: &Txn, taken: &[TaskId]) -> (Vec<TaskId>, Vec<TaskId>) {
    txn.members.iter().map(|member| member.task).partition(|task| !txn.lost && !taken.contains(task))
}

fn all(txn: &Txn) -> Vec<TaskId> {
    txn.members.iter().map(|member| member.task).collect()
}

/// Drops nothing when there is nothing to drop.
fn with_drop(mut actions: Vec<Action>, dropped: Vec<TaskId>) -> Vec<Action> {
    if !dropped.is_empty() {
        actions.push(Action::Drop(dropped));
    }
    actions
}

impl Commit {
    /// Returns a machine without a transaction.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { stage: Stage::Idle, limits, fenced_at: None }
    }

    /// Returns the stage.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Returns the stage without its data.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Idle => Phase::Idle,
            Stage::Recycling => Phase::Recycling,
            Stage::Open(_) => Phase::Open,
            Stage::Sending(_) => Phase::Sending,
            Stage::OffsetsSent(_) => Phase::OffsetsSent,
            Stage::Committing(..) => Phase::Committing,
            Stage::Committed(_) => Phase::Committed,
            Stage::Aborting(_) => Phase::Aborting,
            Stage::Fencing(_) => Phase::Fencing,
            Stage::Aborted(_) => Phase::Aborted,
            Stage::Unknown(_) => Phase::Unknown,
            Stage::Dropping(_) => Phase::Dropping,
        }
    }

    /// Returns the transaction, if there is one.
    #[must_use]
    pub fn txn(&self) -> Option<&Txn> {
        match &self.stage {
            Stage::Idle | Stage::Recycling => None,
            Stage::Open(txn)
            | Stage::Sending(txn)
            | Stage::OffsetsSent(txn)
            | Stage::Committing(txn, _)
            | Stage::Committed(txn)
            | Stage::Aborting(txn)
            | Stage::Fencing(txn)
            | Stage::Aborted(txn)
            | Stage::Unknown(txn)
            | Stage::Dropping(txn) => Some(txn),
        }
    }

    /// Takes an event and returns what to do. Actions that [`Event::Lost`] returns replace those of the event before it
    /// that were not carried out yet.
    ///
    /// # Errors
    /// [`Illegal`] when the event makes no sense in the current stage; nothing has changed then.
    pub fn step(&mut self, now: Duration, event: Event) -> Result<Vec<Action>, Illegal> {
        let illegal = Illegal { phase: self.phase(), event: name(&event) };
        if let Event::Lost = event {
            self.fenced_at = None;
            if is(Mutant::CommitAfterLost) {
                return Ok(vec![]);
            }
        }
        let stage = self.stage.clone();
        let (next, actions) = match stage {
            Stage::Idle => Self::idle(event),
            Stage::Recycling => match event {
                Event::ProducerReplaced => Some((Stage::Idle, vec![])),
                Event::Lost => Some((Stage::Recycling, vec![])),
                _ => None,
            },
            Stage::Open(txn) => self.open(now, txn, event),
            Stage::Sending(txn) => self.sending(now, txn, event),
            Stage::OffsetsSent(txn) => match event {
                Event::CommitStarted => Some((Stage::Committing(txn, now), vec![])),
                Event::Applied if is(Mutant::ApplyFirst) => Some((Stage::OffsetsSent(txn), vec![])),
                Event::Lost => Some((Stage::Aborting(Txn { lost: true, ..txn }), vec![Action::Abort])),
                _ => None,
            },
            Stage::Committing(txn, since) => self.committing(now, txn, since, event),
            Stage::Committed(txn) => match event {
                Event::Applied => Some(rest(&txn)),
                // What is committed is committed; the lost stores are closed without it, which their position says.
                Event::Lost => Some((Stage::Committed(Txn { lost: true, ..txn }), vec![])),
                _ => None,
            },
            Stage::Aborting(txn) => self.aborting(txn, event),
            Stage::Fencing(txn) => match event {
                Event::ProducerReplaced => Some(aborted(Txn { impure: false, ..txn })),
                Event::Lost => Some(given_up(Txn { impure: true, ..txn })),
                _ => None,
            },
            Stage::Aborted(txn) => match event {
                Event::RolledBack => Some(rest(&txn)),
                Event::Lost => {
                    // Instead of the redo that was just decided.
                    let actions = vec![Action::Redo(vec![]), Action::Drop(all(&txn))];
                    Some((Stage::Aborted(Txn { lost: true, ..txn }), actions))
                }
                _ => None,
            },
            Stage::Unknown(txn) => Self::unknown(txn, event),
            Stage::Dropping(txn) => match event {
                Event::RolledBack => Some(rest(&txn)),
                Event::Lost => Some((Stage::Dropping(Txn { lost: true, ..txn }), vec![])),
                _ => None,
            },
        }
        .ok_or(illegal)?;
        self.stage = next;
        Ok(actions)
    }

    fn idle(event: Event) -> Option<(Stage, Vec<Action>)> {
        match event {
            Event::Begin(members) => {
                Some((Stage::Open(Txn { members, ..Txn::default() }), vec![Action::BeginTransaction]))
            }
            Event::Lost => Some((Stage::Idle, vec![])),
            _ => None,
        }
    }

    fn open(&mut self, now: Duration, txn: Txn, event: Event) -> Option<(Stage, Vec<Action>)> {
        match event {
            // An empty list of offsets would commit unfenced.
            Event::Due if txn.members.is_empty() => Some((Stage::Aborting(txn), vec![Action::Abort])),
            Event::Due => Some((Stage::Sending(txn), vec![Action::Produce])),
            Event::Spoiled(class) => Some(self.failed(now, txn, class)),
            Event::Lost => Some((Stage::Aborting(Txn { lost: true, ..txn }), vec![Action::Abort])),
            _ => None,
        }
    }

    fn sending(&mut self, now: Duration, txn: Txn, event: Event) -> Option<(Stage, Vec<Action>)> {
        match event {
            // Whatever else was produced may still be on its way to the broker, also when one record is refused.
            Event::Spoiled(class) => Some(self.failed(now, Txn { impure: true, ..txn }, class)),
            Event::Withheld => Some((Stage::Aborting(txn), vec![Action::Abort])),
            Event::Produced { took, snapshot } => {
                let txn = Txn { slow_flush: self.is_slow(took), ..txn };
                let foreign = |m: &Member| !snapshot.owns(m.task, m.incarnation);
                let stale = !is(Mutant::NoGate) && txn.members.iter().any(foreign);
                match snapshot.fence {
                    Some(fence) if !stale && !txn.lost => {
                        Some((Stage::Sending(txn), vec![Action::SendOffsets(fence)]))
                    }
                    _ => Some((Stage::Aborting(txn), vec![Action::Abort])),
                }
            }
            Event::OffsetsReply { took, result } => {
                let txn = Txn { impure: txn.impure || self.is_slow(took) || result.is_err(), ..txn };
                match result {
                    Ok(()) if txn.lost => Some((Stage::Aborting(txn), vec![Action::Abort])),
                    Ok(()) if is(Mutant::ApplyFirst) => {
                        let applied = Action::Apply(all(&txn));
                        Some((Stage::OffsetsSent(txn), vec![applied, Action::Commit]))
                    }
                    Ok(()) => Some((Stage::OffsetsSent(txn), vec![Action::Commit])),
                    Err(class) => Some(self.failed(now, txn, class)),
                }
            }
            // EndTxn was never sent, so fencing aborts for sure.
            Event::Expired => Some((Stage::Fencing(txn), vec![Action::ReplaceProducer(Reason::Hung)])),
            // A call is out; its reply decides, and then the transaction is aborted.
            Event::Lost => Some((Stage::Sending(Txn { lost: true, ..txn }), vec![])),
            _ => None,
        }
    }

    /// Handles a failure before EndTxn was sent.
    fn failed(&mut self, now: Duration, txn: Txn, class: Class) -> (Stage, Vec<Action>) {
        match class {
            Class::Retriable | Class::Abortable => (Stage::Aborting(txn), vec![Action::Abort]),
            Class::Record => (Stage::Aborting(Txn { record: true, ..txn }), vec![Action::Abort]),
            Class::Lost => (Stage::Aborting(Txn { lost: true, ..txn }), vec![Action::Abort]),
            Class::RestartProducer => (Stage::Fencing(txn), vec![Action::ReplaceProducer(Reason::Fatal)]),
            Class::Fenced => {
                let again =
                    self.fenced_at.is_some_and(|at| now.saturating_sub(at) < self.limits.fenced_twice_within);
                self.fenced_at = Some(now);
                if again {
                    let why = "another live process uses this instance id (its producer fenced ours twice); give every \
                               process an `instance.id` and a `state.dir` of its own";
                    (Stage::Fencing(txn), vec![Action::Stop(why.to_owned())])
                } else {
                    (Stage::Fencing(txn), vec![Action::ReplaceProducer(Reason::Fatal)])
                }
            }
            Class::Stop => {
                let why =
                    "the broker refused the transaction for good; see the log line above for its reason";
                (Stage::Aborting(txn), vec![Action::Stop(why.to_owned())])
            }
        }
    }

    fn committing(
        &self,
        now: Duration,
        txn: Txn,
        since: Duration,
        event: Event,
    ) -> Option<(Stage, Vec<Action>)> {
        let unknown = |txn| Some((Stage::Unknown(txn), vec![Action::ReplaceProducer(Reason::Unknown)]));
        match event {
            Event::CommitReply { took, result: Ok(()) } => {
                let slow = self.is_slow(took) || self.is_slow(now.saturating_sub(since));
                Some(committed(Txn { impure: txn.impure || slow, ..txn }, &[]))
            }
            Event::CommitReply { result: Err(Class::Retriable), .. }
                if now.saturating_sub(since) < self.limits.commit_deadline =>
            {
                Some((Stage::Committing(Txn { impure: true, ..txn }, since), vec![Action::Commit]))
            }
            // R1: whatever else it says, it may have committed.
            Event::CommitReply { .. } | Event::Expired if is(Mutant::UnknownIsAborted) => {
                Some((Stage::Fencing(txn), vec![Action::ReplaceProducer(Reason::Unknown)]))
            }
            Event::CommitReply { .. } | Event::Expired => unknown(Txn { impure: true, ..txn }),
            Event::Lost => Some((Stage::Committing(Txn { lost: true, ..txn }, since), vec![])),
            _ => None,
        }
    }

    fn aborting(&self, txn: Txn, event: Event) -> Option<(Stage, Vec<Action>)> {
        match event {
            Event::AbortReply { took, result: Ok(()) } => {
                let txn = Txn { impure: txn.impure || txn.slow_flush || self.is_slow(took), ..txn };
                Some(aborted(txn))
            }
            Event::AbortReply { .. } | Event::Expired => {
                Some((Stage::Fencing(txn), vec![Action::ReplaceProducer(Reason::Fatal)]))
            }
            Event::Lost => Some((Stage::Aborting(Txn { lost: true, ..txn }), vec![])),
            _ => None,
        }
    }

    fn unknown(txn: Txn, event: Event) -> Option<(Stage, Vec<Action>)> {
        match event {
            Event::ProducerReplaced if is(Mutant::UnknownIsCommitted) => Some(committed(txn, &[])),
            Event::ProducerReplaced => {
                Some((Stage::Unknown(Txn { impure: false, ..txn }), vec![Action::Resolve]))
            }
            Event::Resolved(Judgement { verdict: Verdict::Committed, taken }) => Some(committed(txn, &taken)),
            Event::Resolved(Judgement { verdict: Verdict::Aborted, taken }) => {
                let (kept, dropped) = kept(&txn, &taken);
                Some((Stage::Aborted(txn), with_drop(vec![Action::Redo(kept)], dropped)))
            }
            Event::Resolved(Judgement { verdict: Verdict::MovedOn, .. }) => {
                let dropped = all(&txn);
                Some((Stage::Dropping(txn), vec![Action::Drop(dropped)]))
            }
            Event::Lost => Some(given_up(txn)),
            _ => None,
        }
    }

    fn is_slow(&self, took: Duration) -> bool {
        took >= self.limits.impure_after
    }
}

fn committed(txn: Txn, taken: &[TaskId]) -> (Stage, Vec<Action>) {
    let (kept, dropped) = kept(&txn, taken);
    (Stage::Committed(txn), with_drop(vec![Action::Apply(kept)], dropped))
}

fn aborted(txn: Txn) -> (Stage, Vec<Action>) {
    let (kept, dropped) = kept(&txn, &[]);
    let redo = if txn.record { Action::RedoHalved(kept) } else { Action::Redo(kept) };
    (Stage::Aborted(txn), with_drop(vec![redo], dropped))
}

/// Leaves a transaction to the next owner of its tasks, who ends it: one that was thrown out fences nobody, since another
/// process may live with its ids. Its producer is replaced once this process is a member again.
fn given_up(txn: Txn) -> (Stage, Vec<Action>) {
    let dropped = all(&txn);
    (Stage::Dropping(Txn { lost: true, ..txn }), vec![Action::Drop(dropped)])
}

/// Ends a transaction: an impure producer is replaced before the next one.
fn rest(txn: &Txn) -> (Stage, Vec<Action>) {
    if txn.impure && !is(Mutant::NoReplacement) {
        (Stage::Recycling, vec![Action::ReplaceProducer(Reason::Impure)])
    } else {
        (Stage::Idle, vec![])
    }
}
