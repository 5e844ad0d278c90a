//! The command and its formats.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::query::rows;
use super::row::{Committed, Row};
use crate::app::App;
use crate::cli::output::{Format, counted, json, print, table, trimmed};
use crate::cli::{Exit, Failure, Global};

const AFTER_HELP: &str = "\
LAG ends at the last stable offset: records behind it are in transactions that are still open. It counts
offsets, of which transaction markers are some; where only markers are left it is 0. AGE is that of the
first record still to be read.";

/// The commands about offsets.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum OffsetsCommand {
    /// Shows committed, last stable and end offsets of every input partition, and the lag
    #[command(after_help = AFTER_HELP)]
    Show(ShowArgs),
}

/// Arguments of `millpond offsets show`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Application whose inputs they are
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    app: App,
    /// How to show them
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(in crate::cli) fn run(global: &Global, command: &OffsetsCommand) -> Result<Exit, Failure> {
    let OffsetsCommand::Show(args) = command;
    let config = global.load()?.config;
    let topology = crate::cli::topology::of(args.app, &config)?;
    let mut topics: Vec<&str> =
        topology.sub_topologies().iter().flat_map(|sub| sub.inputs().map(|(_, topic)| topic)).collect();
    topics.sort_unstable();
    topics.dedup();
    let rows = rows(&config, &topics)?;
    let now_ms = now_ms();
    print(&match args.output {
        Format::Json => json(&rows.iter().map(|row| row.json(now_ms)).collect::<Vec<_>>())?,
        Format::Table => shown(&config.app.id, &rows, now_ms),
    })?;
    Ok(Exit::Ok)
}

/// Returns milliseconds since the epoch.
fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

fn shown(group: &str, rows: &[Row], now_ms: i64) -> String {
    let headings =
        ["TOPIC", ">PART", ">COMMITTED", ">LAST STABLE", ">END", ">LOG START", ">LAG", ">AGE", "NOTE"];
    let mut lines = table(&headings);
    for row in rows {
        let committed = match row.committed {
            Committed::At(offset) => offset.to_string(),
            Committed::None => "none".to_owned(),
            Committed::Pinned => "pinned".to_owned(),
        };
        lines.add_row([
            row.topic.clone(),
            row.partition.to_string(),
            committed,
            row.last_stable.to_string(),
            row.high_watermark.to_string(),
            row.log_start.to_string(),
            row.lag().map_or_else(|| "?".to_owned(), |lag| lag.to_string()),
            row.lag_seconds(now_ms).map_or_else(|| "?".to_owned(), age),
            row.note(),
        ]);
    }
    let known: i64 = rows.iter().filter_map(Row::lag).sum();
    let oldest = rows.iter().filter_map(|row| row.lag_seconds(now_ms)).fold(0.0, f64::max);
    let unknown = rows.iter().filter(|row| row.lag().is_none()).count();
    let unknown =
        if unknown == 0 { String::new() } else { format!(", {} pinned", counted(unknown, "partition")) };
    let summary =
        format!("group {group}: lag {}, oldest record {}{unknown}", counted(known, "offset"), age(oldest));
    format!("{}\n{summary}\n", trimmed(&lines))
}

fn age(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.1}s")
    } else if seconds < 7_200.0 {
        format!("{:.0}m", seconds / 60.0)
    } else {
        format!("{:.1}h", seconds / 3_600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::offsets::row::Waiting;

    fn row(partition: i32, committed: Committed, waiting: Waiting) -> Row {
        let topic = "order.events".to_owned();
        Row { topic, partition, committed, log_start: 0, last_stable: 4_713, high_watermark: 4_715, waiting }
    }

    #[test]
    fn the_table_says_what_is_behind_and_why() {
        let rows = [
            row(0, Committed::At(4_713), Waiting::Nothing),
            row(1, Committed::At(4_712), Waiting::Nothing),
            row(2, Committed::At(4_000), Waiting::Record { timestamp_ms: Some(0) }),
            row(3, Committed::None, Waiting::Record { timestamp_ms: Some(500_000) }),
            row(4, Committed::Pinned, Waiting::Unknown),
        ];
        insta::assert_snapshot!(shown("ledger-accounts", &rows, 600_000));
    }

    #[test]
    fn ages_have_the_unit_a_person_would_use() {
        assert_eq!(
            [0.0, 119.9, 120.0, 7_199.0, 90_000.0].map(age),
            ["0.0s", "119.9s", "2m", "120m", "25.0h"]
        );
    }
}
