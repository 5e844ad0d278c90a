//! Tables, JSON, and writing to standard output.

use std::fmt::Display;
use std::io::{self, Write as _};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Exit, Failure};

/// How data is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person
    #[default]
    Table,
    /// For a program
    Json,
}

/// Returns an empty table with these headings, those beginning with `>` right-aligned.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(headings.iter().map(|heading| heading.trim_start_matches('>')));
    for (index, heading) in headings.iter().enumerate() {
        let Some(column) = table.column_mut(index) else { continue };
        column.set_padding(if index == 0 { (0, 1) } else { (1, 1) });
        if heading.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Returns the lines of a table without the blanks at their ends.
pub(super) fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Returns a value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| Failure::new(Exit::Failed, "millpond::output", error))
}

/// Returns a number with its noun, `1 offset` or `2 offsets`.
pub(super) fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Writes data to standard output. A reader that has had enough, as `head` has, is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("cannot write to standard output: {error}");
            Err(Failure::new(Exit::Failed, "millpond::output", message))
        }
        _ => Ok(()),
    }
}

/// Says something to the person, not to the reader of the data.
pub(super) fn say(text: &str) {
    // Nobody is left to be told that nobody listens.
    let _written = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!(counted(1_u64, "offset"), "1 offset");
        assert_eq!(counted(0_i64, "offset"), "0 offsets");
    }

    #[test]
    fn tables_align_and_leave_no_blanks_at_line_ends() {
        let mut table = table(&["TOPIC", ">LAG"]);
        table.add_row(["a", "10"]).add_row(["long.name", "7"]);
        assert_eq!(trimmed(&table), "TOPIC      LAG\na           10\nlong.name    7\n");
    }
}
