//! What was generated, counted by kind: what a run must find again.

use std::collections::BTreeMap;
use std::fmt;

use super::record::{Kind, Record, Stream};

/// Counts of everything that was handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records for `order.events`.
    pub orders: u64,
    /// Records for `account.commands`.
    pub commands: u64,
    /// Records by kind.
    pub by_kind: BTreeMap<Kind, u64>,
}

impl Summary {
    /// Counts one record.
    pub fn count(&mut self, record: &Record) {
        match record.stream {
            Stream::Orders => self.orders += 1,
            Stream::Commands => self.commands += 1,
        }
        *self.by_kind.entry(record.kind).or_default() += 1;
    }

    /// Returns how many records of one kind there are.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or_default()
    }

    /// Returns the number of all records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.orders + self.commands
    }

    /// Returns how many dead letters of each reason code must come out.
    #[must_use]
    pub fn dead_letters(&self) -> BTreeMap<&'static str, u64> {
        let mut codes = BTreeMap::new();
        for (kind, count) in &self.by_kind {
            if let Kind::Bad(bad) = kind {
                *codes.entry(bad.code()).or_default() += count;
            }
        }
        codes
    }

    /// Returns the number of bad records.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.dead_letters().values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records on order.events, {} on account.commands:", self.orders, self.commands)?;
        let mut others = 0;
        for (kind, count) in &self.by_kind {
            match kind {
                Kind::Other(_) => others += count,
                Kind::Bad(_) => {}
                kind => write!(f, " {count} {},", kind.name())?,
            }
        }
        let kinds = self.by_kind.keys().filter(|kind| matches!(kind, Kind::Bad(_))).count();
        write!(f, " {others} other events, {} bad records of {kinds} kinds", self.bad())
    }
}
