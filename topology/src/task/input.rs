//! One input of a task: buffered records and what is known of its end.

use std::collections::VecDeque;

use millpond_mutants::{Mutant, is};

use crate::record::RawRecord;

/// What the runtime sees of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputState {
    /// Records buffered and not yet processed.
    pub waiting: usize,
    /// Records held for a redo: processed in the open transaction.
    pub held: usize,
    /// Bytes of keys and values of both.
    pub bytes: usize,
    /// Next offset to process: what would be committed now.
    pub next_offset: i64,
    /// Next offset as of the last applied transaction.
    pub applied_offset: i64,
}

/// Buffers records of one topic-partition. Processed ones stay until their transaction is applied.
#[derive(Debug)]
pub(crate) struct Input<R> {
    pub(crate) topic: String,
    pub(crate) topic_id: [u8; 16],
    pub(crate) source: usize,
    records: VecDeque<R>,
    taken: usize,
    bytes: usize,
    /// Next offset after the last processed record, as of the last applied transaction.
    applied: i64,
    /// Next offset that `push` expects at least.
    fetched: i64,
    /// The end of the partition as last reported, when nothing came after it.
    end: Option<i64>,
}

fn size<R: RawRecord>(record: &R) -> usize {
    record.key().map_or(0, <[u8]>::len) + record.value().map_or(0, <[u8]>::len)
}

impl<R: RawRecord> Input<R> {
    pub(crate) fn new(topic: String, topic_id: [u8; 16], source: usize, next_offset: i64) -> Self {
        Self {
            topic,
            topic_id,
            source,
            records: VecDeque::new(),
            taken: 0,
            bytes: 0,
            applied: next_offset,
            fetched: next_offset,
            end: None,
        }
    }

    /// Buffers a record; one below the applied offset is skipped (rule R4) and `false` is returned.
    pub(crate) fn push(&mut self, record: R) -> bool {
        if record.offset() < self.fetched && !is(Mutant::NoAppliedCheck) {
            return false;
        }
        self.fetched = record.offset() + 1;
        self.bytes += size(&record);
        self.end = None;
        self.records.push_back(record);
        true
    }

    /// Notes that the partition ends at `offset`: everything below has been handed over or is no data.
    pub(crate) fn reached_end(&mut self, offset: i64) {
        if offset >= self.fetched {
            self.fetched = offset;
            self.end = Some(offset);
        }
    }

    /// Returns the next record without taking it.
    pub(crate) fn peek(&self) -> Option<&R> {
        self.records.get(self.taken)
    }

    /// Marks the next record as processed.
    pub(crate) fn advance(&mut self) {
        self.taken = (self.taken + 1).min(self.records.len());
    }

    /// Says whether the input is empty though more may be unread: the task waits for it.
    pub(crate) fn must_wait(&self) -> bool {
        self.taken == self.records.len() && self.end.is_none()
    }

    /// Returns the offset to commit: the next unprocessed record's, or the position when all is processed.
    pub(crate) fn next_offset(&self) -> i64 {
        self.peek().map_or(self.fetched, RawRecord::offset)
    }

    /// Returns the offset as of the last applied transaction.
    pub(crate) fn applied(&self) -> i64 {
        self.applied
    }

    /// Drops the processed records: their transaction, which sent `offset`, is applied.
    pub(crate) fn apply(&mut self, offset: i64) {
        for record in self.records.drain(..self.taken) {
            self.bytes -= size(&record);
        }
        self.taken = 0;
        self.applied = offset;
    }

    /// Returns count and bytes of the processed records, and collects the timestamps of a sample of them.
    pub(crate) fn processed(&self, timestamps_ms: &mut Vec<i64>) -> (u64, u64) {
        let mut bytes = 0u64;
        for (at, record) in self.records.iter().take(self.taken).enumerate() {
            bytes += size(record) as u64;
            if at % 64 == 0 || at + 1 == self.taken {
                timestamps_ms.push(record.timestamp_ms());
            }
        }
        (self.taken as u64, bytes)
    }

    /// Makes the processed records unprocessed again.
    pub(crate) fn rewind(&mut self) {
        self.taken = 0;
    }

    /// Returns how many records are processed and not applied.
    pub(crate) fn held(&self) -> usize {
        self.taken
    }

    pub(crate) fn state(&self) -> InputState {
        InputState {
            waiting: self.records.len() - self.taken,
            held: self.taken,
            bytes: self.bytes,
            next_offset: self.next_offset(),
            applied_offset: self.applied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::OwnedRecord;

    fn record(offset: i64) -> OwnedRecord {
        OwnedRecord { offset, value: Some(vec![0; 10]), ..OwnedRecord::default() }
    }

    fn input() -> Input<OwnedRecord> {
        Input::new("t".into(), [0; 16], 0, 5)
    }

    #[test]
    fn records_below_the_applied_offset_are_skipped() {
        let mut input = input();
        assert!(!input.push(record(4)));
        assert!(input.push(record(7)));
        assert!(!input.push(record(7)));
        assert_eq!(
            input.state(),
            InputState { waiting: 1, held: 0, bytes: 10, next_offset: 7, applied_offset: 5 }
        );
    }

    #[test]
    fn the_offset_to_commit_is_the_position_only_when_all_is_processed() {
        let mut input = input();
        input.push(record(5));
        input.push(record(6));
        input.advance();
        assert_eq!(input.next_offset(), 6);
        input.advance();
        assert_eq!(input.next_offset(), 7);
        assert!(input.must_wait());
        input.reached_end(9);
        assert_eq!(input.next_offset(), 9, "markers behind the last record are passed");
        assert!(!input.must_wait());
    }

    #[test]
    fn a_redo_sees_the_same_records_again() {
        let mut input = input();
        input.push(record(5));
        input.push(record(8));
        input.advance();
        input.rewind();
        assert_eq!(input.peek().map(|r| r.offset), Some(5));
        assert_eq!(input.next_offset(), 5);
        input.advance();
        input.apply(8);
        assert_eq!(
            input.state(),
            InputState { waiting: 1, held: 0, bytes: 10, next_offset: 8, applied_offset: 8 }
        );
    }
}
