//! Records between the reader and the writer: copied once out of the client library into one arena per run.

use std::ops::Range;
use std::sync::Arc;

use rdkafka::message::{BorrowedMessage, Headers, Message};

/// What the records of a topic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    /// Events of accounts and orders.
    AccountEvents,
    /// Letters written by processors.
    DeadLetters,
}

/// A partition the sink reads. Shared, so that a run names it without copying.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) number: i32,
    pub(super) content: Content,
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.number)
    }
}

/// Consecutive records of one partition: everything committed from offset `from` up to, not including, `to`.
/// Without records it says that nothing but transaction markers and aborted records lies in between.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) partition: Arc<Partition>,
    /// Which assignment of the partition this was read under; others are stale.
    pub(super) epoch: u64,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) records: Vec<Record>,
    pub(super) arena: Arc<Arena>,
}

/// Where one record's parts lie in the arena of its run.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) offset: i64,
    /// Milliseconds since 1970, when the record has a timestamp.
    pub(super) timestamp_ms: Option<i64>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

/// Bytes of a run's records, and the spans of their headers.
#[derive(Debug, Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    headers: Vec<(Range<usize>, Option<Range<usize>>)>,
}

impl Arena {
    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Copies a fetched message in and returns where its parts are.
    pub(super) fn record(&mut self, message: &BorrowedMessage<'_>) -> Record {
        let first_header = self.headers.len();
        if let Some(headers) = message.headers() {
            for header in headers.iter() {
                let span = (self.copy(header.key.as_bytes()), header.value.map(|value| self.copy(value)));
                self.headers.push(span);
            }
        }
        Record {
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(|key| self.copy(key)),
            value: message.payload().map(|value| self.copy(value)),
            headers: first_header..self.headers.len(),
        }
    }

    /// Returns how many bytes of keys, values and headers are held.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn slice(&self, span: &Range<usize>) -> &[u8] {
        self.bytes.get(span.clone()).unwrap_or_default()
    }
}

/// One record with its parts, borrowed from its run.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) partition: &'a Partition,
    pub(super) record: &'a Record,
    arena: &'a Arena,
}

impl<'a> View<'a> {
    pub(super) fn key(&self) -> Option<&'a [u8]> {
        self.record.key.as_ref().map(|span| self.arena.slice(span))
    }

    pub(super) fn value(&self) -> Option<&'a [u8]> {
        self.record.value.as_ref().map(|span| self.arena.slice(span))
    }

    /// Returns names and values of the headers, in their order.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let arena = self.arena;
        let spans = arena.headers.get(self.record.headers.clone()).unwrap_or_default();
        spans.iter().map(|(name, value)| (arena.slice(name), value.as_ref().map(|span| arena.slice(span))))
    }
}

impl Run {
    /// Returns the records with their parts.
    pub(super) fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.records.iter().map(|record| View { partition: &self.partition, record, arena: &self.arena })
    }

    /// Leaves out everything below `offset`; returns how many records that were.
    pub(super) fn trim(&mut self, offset: i64) -> usize {
        let before = self.records.len();
        self.records.retain(|record| record.offset >= offset);
        self.from = self.from.max(offset.min(self.to));
        before - self.records.len()
    }

    /// Splits before the record number `at`: the first part ends right behind its last record.
    fn split(self, at: usize) -> (Self, Self) {
        let mut head = self;
        let records = head.records.split_off(at.min(head.records.len()));
        let middle = head.records.last().map_or(head.from, |last| last.offset.saturating_add(1));
        let tail = Self { from: middle, records, ..head.clone() };
        head.to = middle;
        (head, tail)
    }
}

/// What one database transaction is to carry: runs in the order of their partitions and offsets.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) runs: Vec<Run>,
    /// Set when the database refused the only record of the batch: it is to become a dead letter.
    pub(super) refused: Option<String>,
}

impl Batch {
    /// Puts runs into the order of partitions, keeping that of offsets.
    pub(super) fn new(mut runs: Vec<Run>) -> Self {
        runs.sort_by(|a, b| a.partition.cmp(&b.partition));
        Self { runs, refused: None }
    }

    /// Returns how many records there are.
    pub(super) fn rows(&self) -> usize {
        self.runs.iter().map(|run| run.records.len()).sum()
    }

    /// Splits into two batches of about equal size, to be written in this order.
    pub(super) fn halves(self) -> (Self, Self) {
        let mut wanted = self.rows() / 2;
        let (mut head, mut tail) = (Self::default(), Self::default());
        for run in self.runs {
            let rows = run.records.len();
            if !tail.runs.is_empty() || (wanted == 0 && rows > 0) {
                tail.runs.push(run);
            } else if rows <= wanted {
                wanted -= rows;
                head.runs.push(run);
            } else {
                let (first, second) = run.split(wanted);
                wanted = 0;
                head.runs.push(first);
                tail.runs.push(second);
            }
        }
        (head, tail)
    }
}

#[cfg(test)]
impl Run {
    /// A run of records at consecutive offsets from `from` on, with these values and no keys or headers.
    pub(super) fn of_values(partition: Arc<Partition>, from: i64, values: &[String]) -> Self {
        let mut arena = Arena::default();
        let records: Vec<Record> = (from..)
            .zip(values)
            .map(|(offset, value)| {
                let value = Some(arena.copy(value.as_bytes()));
                Record { offset, timestamp_ms: Some(0), key: None, value, headers: 0..0 }
            })
            .collect();
        let to = records.last().map_or(from, |last| last.offset + 1);
        Self { partition, epoch: 1, from, to, records, arena: Arc::new(arena) }
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
