//! One partition's log: records, open transactions, the last stable offset, sequence numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use millpond::topology::{OwnedRecord, RawRecord};

use super::{Answer, Pid};

/// A record that many hold.
#[derive(Debug, Clone)]
pub(crate) struct Rec(pub(crate) Rc<OwnedRecord>);

impl RawRecord for Rec {
    fn offset(&self) -> i64 {
        self.0.offset
    }
    fn timestamp_ms(&self) -> i64 {
        self.0.timestamp_ms
    }
    fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }
    fn value(&self) -> Option<&[u8]> {
        self.0.value.as_deref()
    }
    fn header_count(&self) -> usize {
        0
    }
    fn header(&self, _: usize) -> Option<(&[u8], Option<&[u8]>)> {
        None
    }
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    Committed,
    Aborted,
    Marker,
    /// Taken out by compaction: a later record has its key.
    Compacted,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) pid: u64,
    pub(crate) fate: Fate,
    pub(crate) record: Rec,
}

/// How input gets into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Plain,
    Committed,
    Aborted,
}

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// First offset of each producer's open transaction.
    open: BTreeMap<u64, usize>,
    /// Epoch and last sequence number of each producer.
    producers: BTreeMap<u64, (u32, i64)>,
}

fn offset(at: usize) -> i64 {
    i64::try_from(at).unwrap()
}

impl Log {
    pub(crate) fn end(&self) -> i64 {
        offset(self.entries.len())
    }

    pub(crate) fn last_stable(&self) -> i64 {
        self.open.values().min().map_or(self.end(), |&at| offset(at))
    }

    pub(crate) fn is_open(&self, pid: u64) -> bool {
        self.open.contains_key(&pid)
    }

    fn put(&mut self, pid: u64, fate: Fate, record: OwnedRecord) {
        let record = Rec(Rc::new(OwnedRecord { offset: self.end(), ..record }));
        self.entries.push(Entry { pid, fate, record });
    }

    pub(crate) fn load(&mut self, records: Vec<Rec>, how: Load) {
        let fate = if how == Load::Aborted { Fate::Aborted } else { Fate::Committed };
        for record in records {
            self.put(0, fate, (*record.0).clone());
        }
        if how != Load::Plain {
            self.put(0, Fate::Marker, OwnedRecord::default());
        }
    }

    /// Says whether a batch of `pid` would be accepted, by epoch and sequence; `None` = it is there already.
    pub(crate) fn check(&self, pid: Pid, first: i64, count: i64) -> Option<Answer> {
        let (epoch, last) = self.producers.get(&pid.id).copied().unwrap_or((pid.epoch, -1));
        if pid.epoch < epoch {
            return Some(Answer::Fenced);
        }
        let last = if pid.epoch > epoch { -1 } else { last };
        match first {
            _ if first == last + 1 => Some(Answer::Fine),
            _ if first + count - 1 <= last => None,
            _ => Some(Answer::OutOfOrder),
        }
    }

    pub(crate) fn append(&mut self, pid: Pid, first: i64, records: &[OwnedRecord]) {
        self.open.entry(pid.id).or_insert(self.entries.len());
        for record in records {
            self.put(pid.id, Fate::Open, record.clone());
        }
        let last = first + i64::try_from(records.len()).unwrap() - 1;
        self.producers.insert(pid.id, (pid.epoch, last));
    }

    /// Writes the end of a transaction.
    pub(crate) fn finish(&mut self, pid: Pid, commit: bool) {
        let fate = if commit { Fate::Committed } else { Fate::Aborted };
        if let Some(from) = self.open.remove(&pid.id) {
            for entry in self.entries.iter_mut().skip(from) {
                if entry.pid == pid.id && entry.fate == Fate::Open {
                    entry.fate = fate;
                }
            }
        }
        self.put(pid.id, Fate::Marker, OwnedRecord::default());
        let known = self.producers.entry(pid.id).or_insert((pid.epoch, -1));
        if pid.epoch > known.0 {
            *known = (pid.epoch, -1);
        }
    }

    /// Compacts what is decided: of each key only the last committed record stays. Returns how many go.
    pub(crate) fn compact(&mut self) -> usize {
        let end = usize::try_from(self.last_stable()).unwrap();
        let mut kept = BTreeSet::new();
        let mut gone = 0;
        for entry in self.entries.iter_mut().take(end).rev().filter(|entry| entry.fate == Fate::Committed) {
            if !kept.insert(entry.record.0.key.clone()) {
                entry.fate = Fate::Compacted;
                gone += 1;
            }
        }
        gone
    }

    /// Iterates over the records of the open transaction of `pid`.
    pub(crate) fn pending(&self, pid: u64) -> impl Iterator<Item = &Rec> {
        let from = self.open.get(&pid).copied().unwrap_or(self.entries.len());
        let own =
            self.entries.iter().skip(from).filter(move |entry| entry.pid == pid && entry.fate == Fate::Open);
        own.map(|entry| &entry.record)
    }

    /// Iterates over what read_committed consumers see from `from` on.
    pub(crate) fn committed(&self, from: i64) -> impl Iterator<Item = &Rec> {
        let start = usize::try_from(from.max(0)).unwrap();
        let end = usize::try_from(self.last_stable()).unwrap();
        let seen = self.entries.iter().take(end).skip(start);
        seen.filter(|entry| entry.fate == Fate::Committed).map(|entry| &entry.record)
    }
}
