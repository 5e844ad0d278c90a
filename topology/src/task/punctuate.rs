//! Due times of a task's punctuators.

use crate::changelog::PunctuationDue;
use crate::processor::{Punctuation, PunctuationClock, PunctuatorSpec};

/// The punctuators of a task and when each is due next.
#[derive(Debug)]
pub(crate) struct Punctuators {
    all: Vec<(PunctuatorSpec, Option<i64>, Option<i64>)>,
}

impl Punctuators {
    /// Returns the punctuators `specs`, due as `restored` says.
    pub(crate) fn new(specs: &[PunctuatorSpec], restored: &[PunctuationDue]) -> Self {
        let all = specs.iter().map(|spec| {
            let due = restored.iter().find(|due| due.id == spec.id).map(|due| due.due_ms);
            (spec.clone(), due, due)
        });
        Self { all: all.collect() }
    }

    /// Returns the next call that is due. A punctuator without a due time gets one: an interval from its clock's time.
    pub(crate) fn next_due(&mut self, stream_time_ms: i64, wall_ms: i64) -> Option<Punctuation> {
        let mut next: Option<(i64, u16)> = None;
        for (spec, due, _) in &mut self.all {
            let time_ms = match spec.clock {
                PunctuationClock::StreamTime => stream_time_ms,
                PunctuationClock::WallClock => wall_ms,
            };
            if time_ms < 0 {
                continue;
            }
            let due_ms = *due.get_or_insert(time_ms.saturating_add(spec.interval_ms));
            if due_ms <= time_ms && next.is_none_or(|known| (due_ms, spec.id) < known) {
                next = Some((due_ms, spec.id));
            }
        }
        next.map(|(scheduled_ms, id)| Punctuation { id, scheduled_ms })
    }

    /// Schedules the next call after `done`: the first multiple of the interval that is not past, so that a gap in time
    /// is one call, not thousands.
    pub(crate) fn advance(&mut self, done: Punctuation, stream_time_ms: i64, wall_ms: i64) {
        if let Some((spec, due, _)) = self.all.iter_mut().find(|(spec, _, _)| spec.id == done.id) {
            let time_ms = match spec.clock {
                PunctuationClock::StreamTime => stream_time_ms,
                PunctuationClock::WallClock => wall_ms,
            };
            let missed = (time_ms - done.scheduled_ms).max(0) / spec.interval_ms.max(1);
            *due = Some(done.scheduled_ms.saturating_add((missed + 1).saturating_mul(spec.interval_ms)));
        }
    }

    /// Returns the due times that are known, for the marker.
    pub(crate) fn due(&self) -> Vec<PunctuationDue> {
        self.all.iter().filter_map(|(spec, due, _)| due.map(|due_ms| PunctuationDue { id: spec.id, due_ms })).collect()
    }

    /// Says whether a punctuator has been called since the last applied transaction.
    pub(crate) fn moved(&self) -> bool {
        self.all.iter().any(|(_, due, committed)| committed.is_some() && due != committed)
    }

    /// Takes the due times over as committed.
    pub(crate) fn apply(&mut self) {
        for (_, due, committed) in &mut self.all {
            *committed = *due;
        }
    }

    /// Returns to the committed due times.
    pub(crate) fn rollback(&mut self) {
        for (_, due, committed) in &mut self.all {
            *due = *committed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(clock: PunctuationClock) -> Punctuators {
        Punctuators::new(&[PunctuatorSpec { id: 1, clock, interval_ms: 10 }], &[])
    }

    #[test]
    fn a_gap_is_one_call_at_the_scheduled_time() {
        let mut all = one(PunctuationClock::StreamTime);
        assert_eq!(all.next_due(-1, 0), None);
        assert_eq!(all.next_due(100, 0), None, "the first call is an interval after the first time seen");
        let due = all.next_due(155, 0);
        assert_eq!(due, Some(Punctuation { id: 1, scheduled_ms: 110 }));
        all.advance(Punctuation { id: 1, scheduled_ms: 110 }, 155, 0);
        assert_eq!(all.due(), [PunctuationDue { id: 1, due_ms: 160 }]);
    }

    #[test]
    fn rollback_returns_to_the_committed_due_time() {
        let mut all = one(PunctuationClock::WallClock);
        assert_eq!(all.next_due(-1, 100), None);
        all.apply();
        let Some(due) = all.next_due(-1, 110) else { panic!("due") };
        all.advance(due, -1, 110);
        assert!(all.moved());
        all.rollback();
        assert_eq!(all.next_due(-1, 110), Some(due));
    }
}
