//! The verdict: one check per invariant, what was looked at, and the first differences.

use std::fmt;

use serde_json::{Value, json};

/// Differences kept per check; the rest is only counted.
const DIFFERENCES_MAX: usize = 20;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything agreed, and there was something to look at.
    Passed,
    /// Something disagreed, or there was nothing to look at.
    Failed {
        /// The first differences (at most 20), each naming where it is and both values.
        differences: Vec<String>,
        /// All differences.
        count: u64,
    },
    /// The check could not be made; this does not count as passed.
    NotCheckable {
        /// What is missing for it.
        why: String,
    },
}

/// One invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable name for machines.
    pub id: &'static str,
    /// What holds when it passes.
    pub title: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    /// The invariant's figure, for a person.
    pub figure: String,
    /// How it ended.
    pub outcome: Outcome,
}

impl Check {
    /// Tells whether the invariant was checked on something and holds.
    pub fn passed(&self) -> bool {
        self.checked > 0 && self.outcome == Outcome::Passed
    }
}

/// Everything that the oracle found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The checks, in the order in which they are told.
    pub checks: Vec<Check>,
    /// Input offsets not yet covered by committed offsets, over all partitions.
    pub lag: u64,
}

impl Report {
    /// Tells whether every check passed on something; a check that could not be made did not.
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(Check::passed)
    }

    /// Returns the check of that id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// Returns the report as JSON: `{passed, lag, checks: [{id, title, checked, figure, outcome, ..}]}`.
    pub fn to_json(&self) -> Value {
        let check = |check: &Check| {
            let mut object = json!({
                "id": check.id, "title": check.title, "checked": check.checked, "figure": check.figure,
            });
            let detail = match &check.outcome {
                Outcome::Passed => json!({"outcome": "passed"}),
                Outcome::Failed { differences, count } => {
                    json!({"outcome": "failed", "differences": differences, "differenceCount": count})
                }
                Outcome::NotCheckable { why } => json!({"outcome": "not checkable", "why": why}),
            };
            if let (Some(object), Value::Object(detail)) = (object.as_object_mut(), detail) {
                object.extend(detail);
            }
            object
        };
        let checks: Vec<Value> = self.checks.iter().map(check).collect();
        json!({"passed": self.passed(), "lag": self.lag, "checks": checks})
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let word = match &check.outcome {
                Outcome::Passed => "passed",
                Outcome::Failed { .. } => "FAILED",
                Outcome::NotCheckable { .. } => "NOT CHECKABLE",
            };
            writeln!(f, "{word:<13} {} ({}): {}", check.title, check.checked, check.figure)?;
            match &check.outcome {
                Outcome::Passed => {}
                Outcome::Failed { differences, count } => {
                    differences.iter().try_for_each(|difference| writeln!(f, "    {difference}"))?;
                    writeln!(f, "    {count} differences")?;
                }
                Outcome::NotCheckable { why } => writeln!(f, "    {why}")?,
            }
        }
        Ok(())
    }
}

/// Collects what one check finds; memory is bounded whatever the number of differences.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    checked: u64,
    count: u64,
    shown: Vec<String>,
}

impl Findings {
    /// Counts one thing that was looked at.
    pub(crate) fn looked_at(&mut self) {
        self.checked += 1;
    }

    /// Counts a difference; its text is made only when it will be shown.
    pub(crate) fn differ(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < DIFFERENCES_MAX {
            self.shown.push(text());
        }
    }

    /// Adds what another part of the same check found.
    pub(crate) fn absorb(&mut self, other: Findings) {
        self.checked += other.checked;
        self.count += other.count;
        self.shown.extend(other.shown);
        self.shown.truncate(DIFFERENCES_MAX);
    }

    /// Returns how many things were looked at.
    pub(crate) fn checked(&self) -> u64 {
        self.checked
    }

    /// Ends the check.
    pub(crate) fn conclude(mut self, title: Title, figure: String) -> Check {
        if self.checked == 0 {
            self.differ(|| "there was nothing to check".to_owned());
        }
        let outcome = match self.count {
            0 => Outcome::Passed,
            count => Outcome::Failed { differences: self.shown, count },
        };
        Check { id: title.id, title: title.text, checked: self.checked, figure, outcome }
    }
}

/// Name of a check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Title {
    pub(crate) id: &'static str,
    pub(crate) text: &'static str,
}

impl Title {
    /// Returns the check as one that could not be made.
    pub(crate) fn not_checkable(self, why: &str) -> Check {
        let outcome = Outcome::NotCheckable { why: why.to_owned() };
        Check { id: self.id, title: self.text, checked: 0, figure: "-".to_owned(), outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Outcome, Report, Title};

    const TITLE: Title = Title { id: "t", text: "holds" };

    fn report(check: super::Check) -> Report {
        Report { checks: vec![check], lag: 0 }
    }

    #[test]
    fn nothing_looked_at_is_a_failure() {
        let check = Findings::default().conclude(TITLE, String::new());
        assert!(matches!(check.outcome, Outcome::Failed { count: 1, .. }));
        assert!(!report(check).passed());
        assert!(!Report { checks: vec![], lag: 0 }.passed());
    }

    #[test]
    fn not_checkable_does_not_pass() {
        assert!(!report(TITLE.not_checkable("input trimmed")).passed());
    }

    #[test]
    fn differences_are_counted_and_the_first_twenty_kept() {
        let mut findings = Findings::default();
        findings.looked_at();
        (0..50).for_each(|i| findings.differ(|| format!("difference {i}")));
        let check = findings.conclude(TITLE, "50".to_owned());
        let json = report(check).to_json();
        assert_eq!(json.pointer("/checks/0/differenceCount").and_then(serde_json::Value::as_u64), Some(50));
        let shown = json.pointer("/checks/0/differences").and_then(serde_json::Value::as_array);
        assert_eq!(shown.map(Vec::len), Some(20));
        assert_eq!(json.pointer("/passed"), Some(&serde_json::Value::Bool(false)));
    }

    #[test]
    fn something_looked_at_without_difference_passes() {
        let mut findings = Findings::default();
        findings.looked_at();
        let report = report(findings.conclude(TITLE, "1 row".to_owned()));
        assert!(report.passed());
        assert_eq!(report.to_string(), "passed        holds (1): 1 row\n");
    }
}
