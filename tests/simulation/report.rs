//! What was done in a schedule and in all of them.

use std::collections::BTreeMap;
use std::fmt;

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
}

/// Counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    faults: BTreeMap<Fault, u64>,
    edges: BTreeMap<(&'static str, &'static str), u64>,
    pub(crate) commits: u64,
    pub(crate) aborts: u64,
    pub(crate) resolved: u64,
    pub(crate) recycled: u64,
    pub(crate) restores: u64,
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

    pub(crate) fn edge(&mut self, phase: &'static str, event: &'static str) {
        *self.edges.entry((phase, event)).or_default() += 1;
    }

    pub(crate) fn stop(&mut self, why: &str) {
        let kind = why.split(':').next_back().unwrap_or_default().trim().chars().take(60).collect();
        *self.stops.entry(kind).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (edge, count) in &other.edges {
            *self.edges.entry(*edge).or_default() += count;
        }
        for (why, count) in &other.stops {
            *self.stops.entry(why.clone()).or_default() += count;
        }
        self.commits += other.commits;
        self.aborts += other.aborts;
        self.resolved += other.resolved;
        self.recycled += other.recycled;
        self.restores += other.restores;
        self.generations += other.generations;
        self.false_fences += other.false_fences;
        self.echoes += other.echoes;
    }
}

/// Every edge that the commit machine has: phase and event, replies split by what they say.
const EDGES: [(&str, &[&str]); 12] = [
    ("idle", &["Begin", "Lost"]),
    ("recycling", &["ProducerReplaced", "Lost"]),
    ("open", &["Due", "Spoiled", "Lost"]),
    ("sending", &["Spoiled", "Produced", "OffsetsReply", "OffsetsReply error", "Expired", "Lost"]),
    ("offsets sent", &["CommitStarted", "Lost"]),
    ("committing", &["CommitReply", "CommitReply again", "CommitReply error", "Expired", "Lost"]),
    ("committed", &["Applied", "Lost"]),
    ("aborting", &["AbortReply", "AbortReply error", "Expired", "Lost"]),
    ("fencing", &["ProducerReplaced", "Lost"]),
    ("aborted", &["RolledBack", "Lost"]),
    ("unknown", &["ProducerReplaced", "Resolved", "Lost"]),
    ("dropping", &["RolledBack", "Lost"]),
];

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, aborts, resolved, recycled, restores, generations, .. } = self;
        let Self { false_fences, echoes, .. } = self;
        writeln!(
            f,
            "transactions: {commits} committed, {aborts} aborted ({false_fences} of a member of an old generation), {echoes} echoes, \
             {resolved} unknown and resolved; {recycled} producers replaced; {restores} restores; {generations} generations"
        )?;
        writeln!(f, "faults by kind:")?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {:<20} {count:>9}", format!("{fault:?}"))?;
        }
        let all = EDGES.iter().flat_map(|(phase, events)| events.iter().map(move |event| (*phase, *event)));
        let (seen, unseen): (Vec<_>, Vec<_>) = all.partition(|edge| self.edges.contains_key(edge));
        writeln!(
            f,
            "edges of the commit machine (phase x event): {} of {}",
            seen.len(),
            seen.len() + unseen.len()
        )?;
        for (phase, event) in seen {
            writeln!(f, "  {phase:<13} {event:<18} {:>9}", self.edges[&(phase, event)])?;
        }
        for (phase, event) in unseen {
            writeln!(f, "  {phase:<13} {event:<18}     never")?;
        }
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
