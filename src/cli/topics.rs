//! `millpond topics init|check`: topics as they should be, compared with those there are.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Format, counted, print, say, table, trimmed};
use super::{Exit, Failure, Global};
use crate::app::App;
use crate::config::Period;
use crate::topics::{Admin, Difference, Severity, Survey, Surveyed, Wanted, survey};

const DAY_MS: u64 = 24 * 3_600_000;
const INIT_EXITS: &str = "\
Exit codes: 0 nothing is missing, 4 topics exist that differ from the configuration, 5 topics are missing
and --execute was not given.";
const CHECK_EXITS: &str = "Exit codes: 0 all as configured, 4 a topic is missing or differs.";

/// The commands about topics.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum TopicsCommand {
    /// Shows which topics are missing, and creates them with --execute; never alters or deletes one
    #[command(after_help = INIT_EXITS)]
    Init(InitArgs),
    /// Compares partitions, replicas, cleanup, retention, in-sync replicas and timestamps
    #[command(after_help = CHECK_EXITS)]
    Check(CheckArgs),
}

/// Arguments of `millpond topics init`.
#[derive(Clone, Debug, Args)]
pub(super) struct InitArgs {
    /// Application whose topics they are
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    app: App,
    /// Creates what is missing
    #[arg(long)]
    execute: bool,
    /// How to show the topics
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Arguments of `millpond topics check`.
#[derive(Clone, Debug, Args)]
pub(super) struct CheckArgs {
    /// Application whose topics they are
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    app: App,
    /// How to show the topics
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(global: &Global, command: &TopicsCommand) -> Result<Exit, Failure> {
    match command {
        TopicsCommand::Init(args) => init(global, args),
        TopicsCommand::Check(args) => check(global, args),
    }
}

fn init(global: &Global, args: &InitArgs) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let topology = super::topology::of(args.app, &config)?;
    let admin = Admin::new(&config)?;
    let mut seen = survey(&admin, &config, &topology)?;
    let missing = seen.missing().len();
    if args.execute && missing > 0 {
        admin.create(&seen.missing())?;
        seen = survey(&admin, &config, &topology)?;
    }
    print(&shown(&seen, args.output)?)?;
    let differs = seen.differences().next().is_some();
    let left = seen.missing().len();
    if left > 0 {
        say(&format!("{} to create: `millpond topics init --execute` does it", counted(left, "topic")));
        return Ok(Exit::Planned);
    }
    if missing > 0 {
        say(&format!("{} created on {}", counted(missing, "topic"), admin.brokers()));
    }
    Ok(if differs { Exit::Precondition } else { Exit::Ok })
}

fn check(global: &Global, args: &CheckArgs) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let topology = super::topology::of(args.app, &config)?;
    let seen = survey(&Admin::new(&config)?, &config, &topology)?;
    print(&shown(&seen, args.output)?)?;
    let missing = !seen.missing().is_empty();
    if missing {
        say("topics are missing: `millpond topics init` shows what it would create");
    }
    let differs = seen.differences().next().is_some();
    Ok(if missing || differs { Exit::Precondition } else { Exit::Ok })
}

fn shown(seen: &Survey, format: Format) -> Result<String, Failure> {
    match format {
        Format::Json => output::json(&seen.topics.iter().map(as_json).collect::<Vec<_>>()),
        Format::Table => Ok(as_table(seen)),
    }
}

/// Returns one word for how a topic is.
fn verdict(topic: &Surveyed) -> &'static str {
    match (&topic.found, topic.differences.first().map(|worst| worst.severity)) {
        (None, _) => "missing",
        (Some(_), None) => "ok",
        (Some(_), Some(Severity::Weak)) => "weak",
        (Some(_), Some(Severity::Wrong)) => "WRONG",
    }
}

fn as_table(seen: &Survey) -> String {
    let mut rows = table(&["TOPIC", ">PARTITIONS", ">REPLICAS", "CLEANUP", "STATE"]);
    for topic in &seen.topics {
        let Wanted { name, partitions, replication, .. } = &topic.wanted;
        let (partitions, replicas) = match &topic.found {
            Some(found) => (found.partitions, found.replicas.to_string()),
            None => (*partitions, replication.to_string()),
        };
        let settings = match &topic.found {
            Some(found) => found.settings.clone(),
            None => topic.wanted.settings().into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        };
        rows.add_row([
            name.clone(),
            partitions.to_string(),
            replicas,
            cleanup(&settings),
            verdict(topic).to_owned(),
        ]);
    }
    let mut text = trimmed(&rows);
    for Difference { topic, what, cure, .. } in seen.differences() {
        text.push_str(&format!("\n{topic} {what}\n  cure: {cure}\n"));
    }
    text
}

/// Returns what becomes of old records: `compact`, `delete after 7d`.
fn cleanup(settings: &BTreeMap<String, String>) -> String {
    let policy = settings.get("cleanup.policy").map_or("?", String::as_str);
    let retention = settings.get("retention.ms").and_then(|text| text.parse::<i64>().ok());
    match retention.map(u64::try_from) {
        Some(Ok(ms)) if policy.contains("delete") && ms.is_multiple_of(DAY_MS) => {
            format!("{policy} after {}d", ms / DAY_MS)
        }
        Some(Ok(ms)) if policy.contains("delete") => format!("{policy} after {}", Period::from_ms(ms)),
        _ => policy.to_owned(),
    }
}

fn as_json(topic: &Surveyed) -> Value {
    let wanted: serde_json::Map<String, Value> =
        topic.wanted.settings().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let differences: Vec<Value> = topic
        .differences
        .iter()
        .map(|found| {
            let runnable = found.severity == Severity::Weak;
            json!({"what": found.what, "cure": found.cure, "runnable": runnable})
        })
        .collect();
    json!({
        "topic": topic.wanted.name,
        "state": verdict(topic).to_lowercase(),
        "wanted": {
            "partitions": topic.wanted.partitions,
            "replication": topic.wanted.replication,
            "settings": wanted,
        },
        "found": topic.found.as_ref().map(|found| json!({
            "partitions": found.partitions,
            "replicas": found.replicas,
        })),
        "differences": differences,
    })
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
