//! Refusals that an outdated answer of a broker may have led to: each must be found again for a while before it is believed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use millpond_topology::TaskId;

use super::restore_error::RestoreError;
use crate::engine::RestoreStop;

/// How long a refusal must be found again and again. A broker that stands still and goes on answers what is queued by what it
/// knew, until it hears from the controller; one that stays cut off for longer is believed in the end.
const DOUBT: Duration = Duration::from_secs(3);

/// What each task was refused for, and since when.
#[derive(Debug, Default)]
pub(crate) struct Doubts(RefCell<BTreeMap<TaskId, (Discriminant<RestoreStop>, Instant)>>);

impl Doubts {
    /// Says whether a refusal is the last word.
    pub(super) fn is_believed(&self, error: &RestoreError) -> bool {
        self.is_believed_at(error, Instant::now())
    }

    fn is_believed_at(&self, error: &RestoreError, now: Instant) -> bool {
        let RestoreError::Stop { task, source } = error else { return true };
        if !source.may_be_outdated() {
            return true;
        }
        // Offsets in it may move: the first look counts for all of its kind.
        let kind = discriminant(source);
        let mut doubts = self.0.borrow_mut();
        let (known, since) = *doubts.entry(*task).or_insert((kind, now));
        if known == kind {
            return now.duration_since(since) >= DOUBT;
        }
        doubts.insert(*task, (kind, now));
        false
    }

    /// Takes note that a task was not refused this time.
    pub(super) fn forget(&self, task: TaskId) {
        self.0.borrow_mut().remove(&task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(0, 1);

    fn moved(committed: i64) -> RestoreError {
        let (app, brokers, topic) = ("a".to_owned(), "h:1".to_owned(), "t".to_owned());
        let source = RestoreStop::OffsetsMoved { app, brokers, topic, partition: 1, committed, marker: 5 };
        RestoreError::Stop { task: TASK, source }
    }

    fn shorter() -> RestoreError {
        let source =
            RestoreStop::InputShorter { topic: "t".to_owned(), partition: 1, end: 4, next_offset: 5 };
        RestoreError::Stop { task: TASK, source }
    }

    #[test]
    fn a_refusal_is_believed_once_it_was_found_for_a_while_whatever_moves_in_it() {
        let (doubts, begun) = (Doubts::default(), Instant::now());
        assert!(!doubts.is_believed_at(&moved(7), begun));
        assert!(!doubts.is_believed_at(&moved(8), begun + DOUBT - Duration::from_millis(1)));
        assert!(doubts.is_believed_at(&moved(9), begun + DOUBT));
    }

    #[test]
    fn one_that_was_not_found_in_between_is_doubted_anew() {
        let (doubts, begun) = (Doubts::default(), Instant::now());
        assert!(!doubts.is_believed_at(&moved(7), begun));
        doubts.forget(TASK);
        assert!(!doubts.is_believed_at(&moved(7), begun + DOUBT));
    }

    #[test]
    fn a_topic_that_lost_its_end_is_believed_at_once_before_new_records_hide_it() {
        assert!(Doubts::default().is_believed(&shorter()));
    }
}
