//! The changelog position of a store: a lower bound of what it holds.

use millpond_mutants::{Mutant, is};

/// Follows the position of one task's store.
///
/// Rows written are added when their transaction is applied. A read_committed end of the changelog is adopted only when a
/// later transaction, whose `send_offsets` began after the answer arrived, is applied: its accepted fence proves that
/// nobody else owned the task meanwhile, so everything below that end is ours and applied. Never the high watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangelogPosition {
    position: i64,
    answered: Option<i64>,
    armed: Option<i64>,
}

impl ChangelogPosition {
    /// Returns the position as restored.
    #[must_use]
    pub fn new(position: i64) -> Self {
        Self { position, answered: None, armed: None }
    }

    /// Returns the position.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.position
    }

    /// Notes an answer to a read_committed query for the end of the changelog.
    pub fn answered(&mut self, last_stable: i64) {
        self.answered = Some(last_stable);
        if is(Mutant::AdoptAtOnce) {
            self.position = self.position.max(last_stable);
        }
    }

    /// Notes that `send_offsets` of a transaction begins.
    pub fn offsets_being_sent(&mut self) {
        self.armed = self.answered.take().or(self.armed);
    }

    /// Returns the position that the store will have once the transaction that wrote `rows` records is applied.
    #[must_use]
    pub fn after(&self, rows: i64) -> i64 {
        self.armed.map_or(self.position + rows, |end| end.max(self.position + rows))
    }

    /// Notes that the transaction that wrote `rows` records is applied.
    pub fn applied(&mut self, rows: i64) {
        self.position = self.after(rows);
        self.armed = None;
    }

    /// Notes that the transaction was aborted: its `send_offsets` proves nothing.
    pub fn aborted(&mut self) {
        self.armed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_and_markers_are_made_up_for_by_a_proven_answer() {
        let mut position = ChangelogPosition::new(10);
        position.offsets_being_sent();
        position.applied(3);
        assert_eq!(position.get(), 13);
        position.answered(14);
        assert_eq!(
            position.after(2),
            15,
            "an answer proves nothing before a later transaction sends offsets"
        );
        position.offsets_being_sent();
        position.applied(2);
        assert_eq!(position.get(), 15);
        position.answered(20);
        position.offsets_being_sent();
        position.applied(1);
        assert_eq!(position.get(), 20);
    }

    #[test]
    fn an_answer_that_arrives_while_offsets_are_being_sent_waits_for_the_next_transaction() {
        let mut position = ChangelogPosition::new(0);
        position.offsets_being_sent();
        position.answered(50);
        position.applied(1);
        assert_eq!(position.get(), 1);
        position.offsets_being_sent();
        position.applied(1);
        assert_eq!(position.get(), 50);
    }

    #[test]
    fn an_aborted_transaction_proves_nothing() {
        let mut position = ChangelogPosition::new(0);
        position.answered(50);
        position.offsets_being_sent();
        position.aborted();
        position.offsets_being_sent();
        position.applied(1);
        assert_eq!(position.get(), 1);
    }
}
