//! Ends of transactions that brokers lost, written by the operator's command.

use std::fmt;

use serde_json::Value;

use crate::support::World;

/// How many there were, in a partition each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostEnds {
    /// Ends that were commits.
    pub(crate) commits: usize,
    /// Ends that were aborts.
    pub(crate) aborts: usize,
}

impl std::ops::AddAssign for LostEnds {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.aborts += other.aborts;
    }
}

impl fmt::Display for LostEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commits and {} aborts", self.commits, self.aborts)
    }
}

/// Runs `millpond transactions end --execute`; a broker that does not answer yet is asked again by the next call.
pub(crate) fn end_lost(world: &World) -> LostEnds {
    let output = world.run(&["transactions", "end", "--execute", "--output", "json"]);
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        eprintln!("transactions end: {}{}", text, String::from_utf8_lossy(&output.stderr));
        return LostEnds::default();
    }
    let found: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut ended = LostEnds::default();
    for lost in found.as_array().into_iter().flatten() {
        eprintln!("the end was lost, and is written now: {lost}");
        match lost["verdict"]["lost"].as_str() {
            Some("commit") => ended.commits += 1,
            Some("abort") => ended.aborts += 1,
            other => panic!("{other:?} was ended: {text}"),
        }
    }
    ended
}
