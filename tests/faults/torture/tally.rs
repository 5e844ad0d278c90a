//! What was tried how often, and what it cost.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Kind;
use super::log::Cost;
use crate::lost_ends::LostEnds;

/// Sums over all rounds.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) rounds: u64,
    pub(super) processes: u64,
    pub(super) orders: i64,
    /// Kinds with how often they were provoked and how often they hit.
    faults: BTreeMap<Kind, (u64, u64)>,
    /// Why processes ended by themselves.
    ends: BTreeMap<String, u64>,
    /// Ends of transactions that the broker lost; made up for as their coordinator had decided.
    pub(super) lost_ends: LostEnds,
    pub(super) cost: Cost,
    /// Times from the end of the faults to a drained input, s.
    pub(super) drained_s: Vec<f64>,
}

impl Tally {
    /// Notes a fault.
    pub(super) fn provoked(&mut self, kind: Kind) {
        self.faults.entry(kind).or_default().0 += 1;
    }

    /// Notes that a fault hit, `times` times.
    pub(super) fn hit(&mut self, kind: Kind, times: u64) {
        self.faults.entry(kind).or_default().1 += times;
    }

    /// Notes that a process ended by itself.
    pub(super) fn ended(&mut self, why: &str) {
        *self.ends.entry(why.to_owned()).or_default() += 1;
    }

    /// Returns how many faults hit.
    pub(super) fn hits(&self) -> u64 {
        self.faults.values().map(|(_, hits)| hits).sum()
    }

    /// Returns the sums in one line.
    pub(super) fn line(&self) -> String {
        let faults: u64 = self.faults.values().map(|(provoked, _)| provoked).sum();
        let (rounds, orders, hits) = (self.rounds, self.orders, self.hits());
        format!("{rounds} rounds exact, {orders} records of input, {faults} faults provoked, {hits} hits")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | provoked | hits |\n|---|---|---|")?;
        for (kind, (provoked, hits)) in &self.faults {
            writeln!(f, "| {} | {provoked} | {hits} |", kind.name())?;
        }
        writeln!(f, "\n| | |\n|---|---|")?;
        writeln!(f, "| rounds, each judged by the oracle: exact | {} |", self.rounds)?;
        writeln!(f, "| processes started | {} |", self.processes)?;
        writeln!(f, "| input records | {} |", self.orders)?;
        for (why, times) in &self.ends {
            writeln!(f, "| ended by itself: {why} | {times} |")?;
        }
        writeln!(
            f,
            "| ends of transactions that the broker lost, in a partition each | {} |",
            self.lost_ends
        )?;
        self.cost.fmt(f)?;
        let mut drained = self.drained_s.clone();
        drained.sort_by(f64::total_cmp);
        let middle = drained.get(drained.len() / 2).copied().unwrap_or(0.0);
        let most = drained.last().copied().unwrap_or(0.0);
        writeln!(f, "| end of faults to input drained, s: median, most | {middle:.1}, {most:.1} |")
    }
}
