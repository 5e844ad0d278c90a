//! When to kill: in the middle of a transaction, as far as that can be seen from outside.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::status::Input;

/// How long after a commit the process is killed: enough was read by then, and the next commit (every 100 ms unless
/// configured otherwise) is still far enough away.
const RIPE: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(60);

/// How long the best moment is waited for; after it any moment with uncommitted input will do.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again soon.
    Wait,
    /// Kill now.
    Kill,
}

/// Waits for a moment at which records were read that are not committed.
///
/// The best one comes shortly after a commit: then what was seen is still uncommitted when the signal arrives.
#[derive(Debug, Clone)]
pub(super) struct KillWatch {
    began: Duration,
    committed: Option<i64>,
    advanced: Option<Duration>,
}

impl KillWatch {
    /// Begins to wait at `now` (since any fixed moment).
    pub(super) fn new(now: Duration) -> Self {
        Self { began: now, committed: None, advanced: None }
    }

    /// Judges what the process says of its inputs at `now`.
    pub(super) fn observe(&mut self, now: Duration, inputs: &[Input]) -> Verdict {
        let committed: i64 = inputs.iter().map(|input| input.committed).sum();
        let ahead: u64 = inputs.iter().map(Input::ahead).sum();
        if self.committed.is_some_and(|before| committed > before) {
            self.advanced = Some(now);
        }
        self.committed = Some(committed);
        let is_ripe = self.advanced.is_some_and(|at| RIPE.contains(&now.saturating_sub(at)));
        let is_late = now.saturating_sub(self.began) >= PATIENCE;
        if ahead > 0 && (is_ripe || is_late) { Verdict::Kill } else { Verdict::Wait }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{KillWatch, Verdict};
    use crate::demo::status::Input;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn inputs(position: i64, committed: i64) -> Vec<Input> {
        vec![Input { topic: "o".to_owned(), partition: 0, position, committed }]
    }

    #[test]
    fn kills_soon_after_a_commit_with_records_read_beyond_it() {
        let mut watch = KillWatch::new(at(0));
        assert_eq!(watch.observe(at(0), &inputs(10, 5)), Verdict::Wait);
        assert_eq!(watch.observe(at(90), &inputs(15, 5)), Verdict::Wait);
        assert_eq!(watch.observe(at(100), &inputs(15, 15)), Verdict::Wait);
        assert_eq!(watch.observe(at(119), &inputs(16, 15)), Verdict::Wait);
        assert_eq!(watch.observe(at(120), &inputs(16, 15)), Verdict::Kill);
    }

    #[test]
    fn a_commit_long_ago_is_no_good_moment() {
        let mut watch = KillWatch::new(at(0));
        watch.observe(at(0), &inputs(5, 5));
        watch.observe(at(10), &inputs(9, 9));
        assert_eq!(watch.observe(at(71), &inputs(20, 9)), Verdict::Wait);
    }

    #[test]
    fn after_three_seconds_any_uncommitted_record_will_do_but_there_must_be_one() {
        let mut watch = KillWatch::new(at(0));
        assert_eq!(watch.observe(at(3_000), &inputs(5, 5)), Verdict::Wait);
        assert_eq!(watch.observe(at(3_005), &inputs(6, 5)), Verdict::Kill);
        assert_eq!(watch.observe(at(3_010), &[]), Verdict::Wait);
    }
}
