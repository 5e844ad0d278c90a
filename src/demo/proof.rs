//! The proof as a table, on stdout.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use indicatif::HumanCount;
use millpond_oracle::{Outcome, Report};

use super::claims::Claim;

/// Greatest width of the table, and its width where there is no terminal to ask.
const WIDTH_MAX: u16 = 140;

/// Width of a terminal below which its lines rather wrap.
const WIDTH_MIN: u16 = 80;

/// The demo's claims and the oracle's judgement.
#[derive(Debug)]
pub(super) struct Proof {
    rows: Vec<Claim>,
    /// Differences and what could not be checked, each under its invariant.
    details: Vec<String>,
}

impl Proof {
    /// Joins what the demo claims with what the oracle found.
    pub(super) fn new(claims: Vec<Claim>, report: &Report) -> Self {
        let (mut rows, mut details) = (claims, Vec::new());
        if report.checks.is_empty() {
            details.push("the oracle checked nothing".to_owned());
        }
        for check in &report.checks {
            rows.push(Claim {
                title: check.title.to_owned(),
                checked: check.checked,
                figure: check.figure.clone(),
                passed: check.passed(),
            });
            match &check.outcome {
                Outcome::Passed => {}
                Outcome::Failed { differences, count } => {
                    details.push(format!("{}: {count} differences", check.title));
                    details.extend(differences.iter().map(|difference| format!("    {difference}")));
                }
                Outcome::NotCheckable { why } => {
                    details.push(format!("{}: could not be checked: {why}", check.title));
                }
            }
        }
        Self { rows, details }
    }

    /// Tells whether everything was checked on something and holds.
    pub(super) fn holds(&self) -> bool {
        self.details.is_empty() && self.rows.iter().all(|row| row.passed && row.checked > 0)
    }

    /// Returns how many invariants hold, and how many there are.
    pub(super) fn score(&self) -> (usize, usize) {
        (self.rows.iter().filter(|row| row.passed && row.checked > 0).count(), self.rows.len())
    }

    /// Returns the table, and below it what differs.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        // Some terminals say that they are 0 wide.
        let width = table.width().filter(|width| *width >= WIDTH_MIN).unwrap_or(WIDTH_MAX);
        table.set_width(width.min(WIDTH_MAX));
        table.set_header(
            ["", "invariant", "checked", "figure"].map(|name| Cell::new(name).add_attribute(Attribute::Bold)),
        );
        for row in &self.rows {
            let tick = if row.passed && row.checked > 0 { "✓" } else { "✗" };
            let checked = Cell::new(HumanCount(row.checked)).set_alignment(CellAlignment::Right);
            table.add_row([Cell::new(tick), Cell::new(&row.title), checked, Cell::new(&row.figure)]);
        }
        let mut text = table.to_string();
        for detail in &self.details {
            text.push('\n');
            text.push_str(detail);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use millpond_oracle::{Check, Outcome, Report};

    use super::Proof;
    use crate::demo::claims::Claim;

    fn claim(passed: bool) -> Claim {
        Claim { title: "the demo says".to_owned(), checked: 1_234, figure: "5 s".to_owned(), passed }
    }

    fn report(outcome: Outcome, checked: u64) -> Report {
        let check =
            Check { id: "x", title: "the oracle says", checked, figure: "7 rows".to_owned(), outcome };
        Report { checks: vec![check], lag: 0 }
    }

    #[test]
    fn the_table_shows_tick_count_and_figure() {
        let proof = Proof::new(vec![claim(true)], &report(Outcome::Passed, 7));
        assert!(proof.holds());
        assert_eq!(proof.score(), (2, 2));
        let text = proof.text();
        let line = text.lines().find(|line| line.contains("the demo says")).unwrap();
        assert!(line.contains('✓') && line.contains("1,234") && line.contains("5 s"), "{text}");
        assert!(text.contains("the oracle says") && !text.contains('✗'), "{text}");
    }

    #[test]
    fn a_flaw_anywhere_is_no_proof_and_is_told() {
        assert!(!Proof::new(vec![claim(false)], &report(Outcome::Passed, 7)).holds());
        assert!(!Proof::new(vec![claim(true)], &report(Outcome::Passed, 0)).holds());
        assert!(!Proof::new(vec![claim(true)], &Report { checks: vec![], lag: 0 }).holds());
        let failed = Outcome::Failed { differences: vec!["balance of 7: 5, not 6".to_owned()], count: 1 };
        let proof = Proof::new(vec![claim(true)], &report(failed, 7));
        assert!(
            !proof.holds() && proof.text().contains("balance of 7: 5, not 6") && proof.text().contains('✗')
        );
        let unchecked = Outcome::NotCheckable { why: "input trimmed".to_owned() };
        let proof = Proof::new(vec![claim(true)], &report(unchecked, 0));
        assert!(!proof.holds() && proof.text().contains("input trimmed"));
    }
}
