//! Due times of a task's punctuators.

use crate::changelog::PunctuationDue;
use crate::processor::{Punctuation, PunctuationClock, PunctuatorSpec};

/// A punctuator and when it is due.
#[derive(Debug)]
struct Timer {
    spec: PunctuatorSpec,
    due_ms: Option<i64>,
    /// As of the last applied transaction.
    committed_ms: Option<i64>,
    /// The due time that it was given when it had none: an abort does not postpone the first call.
    first_ms: Option<i64>,
}

impl Timer {
    fn time_ms(&self, stream_time_ms: i64, wall_ms: i64) -> i64 {
        match self.spec.clock {
            PunctuationClock::StreamTime => stream_time_ms,
            PunctuationClock::WallClock => wall_ms,
        }
    }
}

/// The punctuators of a task and when each is due next.
#[derive(Debug)]
pub(crate) struct Punctuators(Vec<Timer>);

impl Punctuators {
    /// Returns the punctuators `specs`, due as `restored` says.
    pub(crate) fn new(specs: &[PunctuatorSpec], restored: &[PunctuationDue]) -> Self {
        let all = specs.iter().map(|spec| {
            let due_ms = restored.iter().find(|due| due.id == spec.id).map(|due| due.due_ms);
            Timer { spec: spec.clone(), due_ms, committed_ms: due_ms, first_ms: None }
        });
        Self(all.collect())
    }

    /// Returns the next call that is due. A punctuator without a due time gets one: an interval from its
    /// clock's time.
    pub(crate) fn next_due(&mut self, stream_time_ms: i64, wall_ms: i64) -> Option<Punctuation> {
        let mut next: Option<(i64, u16)> = None;
        for timer in &mut self.0 {
            let time_ms = timer.time_ms(stream_time_ms, wall_ms);
            if time_ms < 0 {
                continue;
            }
            if timer.due_ms.is_none() {
                timer.first_ms = Some(time_ms.saturating_add(timer.spec.interval_ms));
                timer.due_ms = timer.first_ms;
            }
            let due = (timer.due_ms.unwrap_or(i64::MAX), timer.spec.id);
            if due.0 <= time_ms && next.is_none_or(|known| due < known) {
                next = Some(due);
            }
        }
        next.map(|(scheduled_ms, id)| Punctuation { id, scheduled_ms })
    }

    /// Schedules the next call after `done`: the first multiple of the interval that is not past, so that a
    /// gap in time is one call, not thousands.
    pub(crate) fn advance(&mut self, done: Punctuation, stream_time_ms: i64, wall_ms: i64) {
        if let Some(timer) = self.0.iter_mut().find(|timer| timer.spec.id == done.id) {
            let interval_ms = timer.spec.interval_ms.max(1);
            let late_ms = timer.time_ms(stream_time_ms, wall_ms).saturating_sub(done.scheduled_ms).max(0);
            let step_ms = (late_ms / interval_ms).saturating_add(1).saturating_mul(interval_ms);
            timer.due_ms = Some(done.scheduled_ms.saturating_add(step_ms));
        }
    }

    /// Returns the due times that are known, for the marker.
    pub(crate) fn due(&self) -> Vec<PunctuationDue> {
        let known = |timer: &Timer| timer.due_ms.map(|due_ms| PunctuationDue { id: timer.spec.id, due_ms });
        self.0.iter().filter_map(known).collect()
    }

    /// Says whether a punctuator has been called since the last applied transaction.
    pub(crate) fn moved(&self) -> bool {
        self.0.iter().any(|timer| timer.due_ms != timer.committed_ms.or(timer.first_ms))
    }

    /// Takes the due times over as committed.
    pub(crate) fn apply(&mut self) {
        for timer in &mut self.0 {
            timer.committed_ms = timer.due_ms;
        }
    }

    /// Returns to the committed due times.
    pub(crate) fn rollback(&mut self) {
        for timer in &mut self.0 {
            timer.due_ms = timer.committed_ms.or(timer.first_ms);
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
    fn the_first_call_is_a_move_though_nothing_was_committed_before() {
        let mut all = one(PunctuationClock::WallClock);
        assert_eq!(all.next_due(-1, 100), None);
        assert!(!all.moved(), "a first due time is no call");
        all.advance(Punctuation { id: 1, scheduled_ms: 110 }, -1, 110);
        assert!(all.moved());
        all.apply();
        assert!(!all.moved());
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
