//! How long the changelog was at what time: from it follows how many rows could be unflushed.

use std::time::Duration;

/// Ends of the changelog's partitions over time.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// Oldest first.
    looks: Vec<(Duration, Vec<i64>)>,
}

impl History {
    /// Notes the end offsets of all partitions at a time (since any fixed moment).
    pub(super) fn note(&mut self, at: Duration, ends: Vec<i64>) {
        self.looks.push((at, ends));
    }

    /// Returns how many rows were written between `since` and the ends given, at most.
    ///
    /// The last look at or before `since` counts, and the log's beginning when there is none.
    pub(super) fn rows_since(&self, since: Duration, ends: &[i64]) -> u64 {
        let then = self.looks.iter().rev().find(|(at, _)| *at <= since).map(|(_, ends)| ends.as_slice());
        let rows = |(partition, end): (usize, &i64)| {
            let begin = then.and_then(|ends| ends.get(partition)).copied().unwrap_or_default();
            u64::try_from(end - begin).unwrap_or_default()
        };
        ends.iter().enumerate().map(rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::History;

    #[test]
    fn rows_are_counted_from_the_last_look_before() {
        let second = Duration::from_secs;
        let mut history = History::default();
        assert_eq!(history.rows_since(second(9), &[30, 40]), 70);
        history.note(second(1), vec![10, 20]);
        history.note(second(2), vec![15, 20]);
        history.note(second(3), vec![25, 35]);
        assert_eq!(history.rows_since(second(0), &[30, 40]), 70);
        assert_eq!(history.rows_since(second(2), &[30, 40]), 35);
        assert_eq!(history.rows_since(Duration::from_millis(2_999), &[30, 40]), 35);
        assert_eq!(history.rows_since(second(9), &[30, 40]), 10);
    }
}
