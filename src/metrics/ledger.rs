//! Business figures of the ledger.

use std::collections::BTreeMap;

use prometheus::{Error, IntCounter};

use super::family::Families;

/// Counts debits by outcome, and broken money invariants.
#[derive(Clone)]
pub struct LedgerMetrics {
    debits: BTreeMap<String, IntCounter>,
    violations: IntCounter,
}

impl LedgerMetrics {
    pub(super) fn new(families: &Families<'_>, outcomes: &[&str]) -> Result<Self, Error> {
        let debits = families.counters("debits_total", "Orders decided, by outcome.", &["outcome"])?;
        Ok(Self {
            debits: outcomes
                .iter()
                .map(|outcome| ((*outcome).to_owned(), debits.with_label_values(&[*outcome])))
                .collect(),
            violations: families.counter(
                "money_invariant_violations_total",
                "Stored values found to break an invariant of money; each stops its task.",
            )?,
        })
    }

    /// Returns the counter of an outcome, to be kept; `None` for one that was not named when the metrics
    /// were made.
    #[must_use]
    pub fn debits(&self, outcome: &str) -> Option<IntCounter> {
        self.debits.get(outcome).cloned()
    }

    /// Counts a broken invariant.
    pub fn violated(&self) {
        self.violations.inc();
    }
}
