//! What was done in a schedule and in all of them.

use std::collections::BTreeMap;
use std::fmt;

use crate::edges::Edges;
use crate::executor::Micros;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    RequestLost,
    RequestHeld,
    ReplyLost,
    Slow,
    CrashAtStep,
    Crash,
    Pause,
    ThreadStall,
    BrokerBounce,
    Leave,
    UnflushedLost,
    Redelivered,
    Hang,
    ClockSkew,
    TransactionTimeout,
    SessionTimeout,
    SqlCutBeforeCommit,
    SqlCommitUnknown,
    SinkTakeover,
    TwinInstance,
    BadRecord,
    RefusedRecord,
    RecordsCompacted,
    OffsetsMoved,
}

/// Counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    faults: BTreeMap<Fault, u64>,
    pub(crate) edges: Edges,
    pub(crate) commits: u64,
    pub(crate) aborts: u64,
    pub(crate) resolved: u64,
    pub(crate) recycled: u64,
    pub(crate) restores: u64,
    /// Records of changelogs that restores read.
    pub(crate) replayed: u64,
    pub(crate) generations: u64,
    /// Offsets refused for an old generation.
    pub(crate) false_fences: u64,
    /// Transactions that committed the same offsets once more.
    pub(crate) echoes: u64,
    pub(crate) stops: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn count(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    pub(crate) fn stop(&mut self, why: &str) {
        let kind = why.split(':').next_back().unwrap_or_default().trim().chars().take(60).collect();
        *self.stops.entry(kind).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        self.edges.add(&other.edges);
        for (why, count) in &other.stops {
            *self.stops.entry(why.clone()).or_default() += count;
        }
        self.commits += other.commits;
        self.aborts += other.aborts;
        self.resolved += other.resolved;
        self.recycled += other.recycled;
        self.restores += other.restores;
        self.replayed += other.replayed;
        self.generations += other.generations;
        self.false_fences += other.false_fences;
        self.echoes += other.echoes;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, aborts, resolved, recycled, restores, generations, .. } = self;
        let Self { false_fences, echoes, replayed, .. } = self;
        writeln!(
            f,
            "transactions: {commits} committed, {aborts} aborted ({false_fences} of a member of an old generation), {echoes} echoes, \
             {resolved} unknown and resolved; {recycled} producers replaced; {restores} restores of {replayed} records; {generations} generations"
        )?;
        writeln!(f, "faults by kind:")?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {:<20} {count:>9}", format!("{fault:?}"))?;
        }
        write!(f, "{}", self.edges)?;
        for (why, count) in &self.stops {
            writeln!(
                f,
                "a process ended itself {count} times, fenced by a late request of its own seat: {why}"
            )?;
        }
        Ok(())
    }
}

/// What came of one schedule.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) violation: Option<String>,
    pub(crate) simulated: Micros,
    pub(crate) hash: u64,
    pub(crate) tally: Tally,
    pub(crate) lines: Vec<String>,
}
