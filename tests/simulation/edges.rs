//! Coverage of the commit machine: every edge of `src/engine/commit.rs`, and how often schedules took it.

use std::collections::BTreeMap;
use std::fmt;

/// Phase, event (replies by what they say) and the phase after it.
type Edge = (&'static str, &'static str, &'static str);

/// Every edge that the machine has, by phase and event: where it leads.
const ALL: [(&str, &str, &[&str]); 35] = [
    ("idle", "Begin", &["open"]),
    ("idle", "Lost", &["idle"]),
    ("recycling", "ProducerReplaced", &["idle"]),
    ("recycling", "Lost", &["recycling"]),
    ("open", "Due", &["sending", "aborting"]),
    ("open", "Spoiled", &["aborting", "fencing"]),
    ("open", "Lost", &["aborting"]),
    ("sending", "Spoiled", &["aborting", "fencing"]),
    ("sending", "Produced", &["sending", "aborting"]),
    ("sending", "OffsetsReply", &["offsets sent", "aborting"]),
    ("sending", "OffsetsReply error", &["aborting", "fencing"]),
    ("sending", "Expired", &["fencing"]),
    ("sending", "Lost", &["sending"]),
    ("offsets sent", "CommitStarted", &["committing"]),
    ("offsets sent", "Lost", &["aborting"]),
    ("committing", "CommitReply", &["committed"]),
    ("committing", "CommitReply again", &["committing", "unknown"]),
    ("committing", "CommitReply error", &["unknown"]),
    ("committing", "Expired", &["unknown"]),
    ("committing", "Lost", &["committing"]),
    ("committed", "Applied", &["idle", "recycling"]),
    ("committed", "Lost", &["committed"]),
    ("aborting", "AbortReply", &["aborted"]),
    ("aborting", "AbortReply error", &["fencing"]),
    ("aborting", "Expired", &["fencing"]),
    ("aborting", "Lost", &["aborting"]),
    ("fencing", "ProducerReplaced", &["aborted"]),
    ("fencing", "Lost", &["dropping"]),
    ("aborted", "RolledBack", &["idle", "recycling"]),
    ("aborted", "Lost", &["aborted"]),
    ("unknown", "ProducerReplaced", &["unknown"]),
    ("unknown", "Resolved", &["committed", "aborted", "dropping"]),
    ("unknown", "Lost", &["dropping"]),
    ("dropping", "RolledBack", &["idle", "recycling"]),
    ("dropping", "Lost", &["dropping"]),
];

/// Edges that no schedule can take, and why.
const OUT_OF_REACH: [(Edge, &str); 2] = [
    (("open", "Due", "aborting"), "a thread begins no transaction without tasks"),
    (
        ("open", "Spoiled", "fencing"),
        "a thread gives an open transaction up as abortable or lost; the producer is not called while it is filled",
    ),
];

/// Edges that a run of the tests need not see: a loss in the moment between two steps, or two faults in a row. The table of
/// `src/engine/commit_tests.rs` has them.
const RARE: [Edge; 5] = [
    ("recycling", "Lost", "recycling"),
    ("open", "Lost", "aborting"),
    ("sending", "OffsetsReply", "aborting"),
    ("aborting", "Expired", "fencing"),
    ("dropping", "Lost", "dropping"),
];

/// How often each edge was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edges(BTreeMap<Edge, u64>);

fn all() -> impl Iterator<Item = Edge> {
    ALL.iter().flat_map(|(phase, event, after)| after.iter().map(move |after| (*phase, *event, *after)))
}

impl Edges {
    pub(crate) fn take(&mut self, edge: Edge) {
        *self.0.entry(edge).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (edge, count) in &other.0 {
            *self.0.entry(*edge).or_default() += count;
        }
    }

    fn count(&self, edge: Edge) -> u64 {
        self.0.get(&edge).copied().unwrap_or(0)
    }

    /// Returns the edges that schedules take all the time and none of these did.
    pub(crate) fn missing(&self) -> Vec<Edge> {
        let within =
            |edge: &Edge| !RARE.contains(edge) && !OUT_OF_REACH.iter().any(|(beyond, _)| beyond == edge);
        all().filter(within).filter(|edge| self.count(*edge) == 0).collect()
    }

    /// Returns the edges that were taken and are not in the list, or said to be out of reach.
    pub(crate) fn unlisted(&self) -> Vec<Edge> {
        let beyond = |edge: &Edge| OUT_OF_REACH.iter().any(|(beyond, _)| beyond == edge);
        self.0.keys().copied().filter(|edge| beyond(edge) || !all().any(|known| known == *edge)).collect()
    }
}

impl fmt::Display for Edges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = all().filter(|edge| self.count(*edge) > 0).count();
        let reachable = all().count() - OUT_OF_REACH.len();
        writeln!(f, "edges of the commit machine: {taken} of {reachable} taken")?;
        for edge @ (phase, event, after) in all() {
            let count = match OUT_OF_REACH.iter().find(|(beyond, _)| *beyond == edge) {
                Some((_, why)) => format!("out of reach: {why}"),
                None if self.count(edge) == 0 && RARE.contains(&edge) => "never (rare)".to_owned(),
                None if self.count(edge) == 0 => "never".to_owned(),
                None => self.count(edge).to_string(),
            };
            writeln!(f, "  {phase:<12} {event:<18} {after:<12} {count:>9}")?;
        }
        Ok(())
    }
}
