//! What became of a transaction whose commit was sent and not answered (rule R2).

use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use super::commit_terms::Member;
use super::nonce::Nonce;

/// The outcome of an unknown transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its own nonce is there: it committed.
    Committed,
    /// The previous nonce is still there: it aborted.
    Aborted,
    /// Others have moved on: drop the overlay, restore the tail. Always safe.
    MovedOn,
}

/// A verdict with the tasks that now belong to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The outcome of the transaction as a whole.
    pub verdict: Verdict,
    /// Tasks whose nonce is another owner's: dropped in every case.
    pub taken: Vec<TaskId>,
}

/// Judges the transaction of `members` by the nonces read per task after fencing (`None` = no committed offset).
///
/// Transactions are atomic: one partition that shows this transaction proves it committed on all.
#[must_use]
pub fn judge(members: &[Member], read: impl Fn(TaskId) -> Option<Nonce>) -> Judgement {
    let mut verdict = Verdict::MovedOn;
    let mut taken = Vec::new();
    for member in members {
        let found = read(member.task);
        if found.as_ref() == Some(&member.nonce) || (found.is_some() && is(Mutant::AnyNonce)) {
            verdict = Verdict::Committed;
        } else if found == member.previous {
            if verdict == Verdict::MovedOn {
                verdict = Verdict::Aborted;
            }
        } else {
            taken.push(member.task);
        }
    }
    Judgement { verdict, taken }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Incarnation;

    fn nonce(process: u64, sequence: u64) -> Nonce {
        let incarnation = Incarnation { process, acquisition: 1 };
        Nonce { incarnation, sequence, attempt: 0, transactional_id: "t".into() }
    }

    fn member(partition: u32, previous: Option<Nonce>) -> Member {
        let incarnation = Incarnation { process: 1, acquisition: 1 };
        Member { task: TaskId::new(0, partition), incarnation, nonce: nonce(1, 5), previous }
    }

    #[test]
    fn one_partition_with_the_own_nonce_proves_the_commit() {
        let members = [member(0, Some(nonce(1, 4))), member(1, Some(nonce(1, 4)))];
        let judged = judge(&members, |task| (task.partition == 1).then(|| nonce(1, 5)).or(Some(nonce(9, 8))));
        assert_eq!(judged, Judgement { verdict: Verdict::Committed, taken: vec![TaskId::new(0, 0)] });
    }

    #[test]
    fn the_previous_nonce_or_none_as_restored_proves_the_abort() {
        let judged = judge(&[member(0, None)], |_| None);
        assert_eq!(judged, Judgement { verdict: Verdict::Aborted, taken: vec![] });
        let judged = judge(&[member(0, Some(nonce(7, 2)))], |_| Some(nonce(7, 2)));
        assert_eq!(judged.verdict, Verdict::Aborted);
    }

    #[test]
    fn anything_else_means_that_others_moved_on() {
        let judged = judge(&[member(0, Some(nonce(1, 4)))], |_| Some(nonce(2, 5)));
        assert_eq!(judged, Judgement { verdict: Verdict::MovedOn, taken: vec![TaskId::new(0, 0)] });
    }
}
