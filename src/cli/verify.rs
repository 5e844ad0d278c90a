//! `millpond verify`: the oracle's judgement.

use std::path::PathBuf;

use clap::Args;
use millpond_oracle::{Outcome, Report, Target, Topics};
use tokio::runtime::Builder;

use super::output::{Format, counted, json, print, say, table, trimmed};
use super::{Exit, Failure, Global};
use crate::app::App;
use crate::config::Config;

/// Arguments of `millpond verify`.
#[derive(Clone, Debug, Args)]
pub(super) struct VerifyArgs {
    /// `state.dir` of a further instance that can be read from here; may be repeated
    #[arg(long = "state-dir", value_name = "DIR")]
    state_dirs: Vec<PathBuf>,
    /// Leaves PostgreSQL out; its checks then do not count as passed
    #[arg(long)]
    no_postgres: bool,
    /// How to show the checks
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(global: &Global, args: &VerifyArgs) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let target = target(&config, args)?;
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, "millpond::verify", error);
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|e| failed(&e))?;
    let mut progress = |what: &str| say(what);
    let report =
        runtime.block_on(millpond_oracle::verify(&target, &mut progress)).map_err(|error| failed(&error))?;
    let text = match args.output {
        Format::Json => json(&report.to_json())?,
        Format::Table => shown(&report),
    };
    print(&text)?;
    Ok(if report.passed() { Exit::Ok } else { Exit::Difference })
}

/// Says what is judged and where it is.
fn target(config: &Config, args: &VerifyArgs) -> Result<Target, Failure> {
    let topology = super::topology::of(App::Accounts, config)?;
    let sub = topology.sub_topologies().first();
    let sub =
        sub.ok_or_else(|| Failure::new(Exit::Failed, "millpond::topology", "it has no sub-topology"))?;
    let mut state_dirs = state_dirs(config, &args.state_dirs)?;
    state_dirs.sort();
    state_dirs.dedup();
    let postgres_url = match &config.sink.postgres.url {
        Some(url) if !args.no_postgres => Some(url.expose().to_owned()),
        _ => None,
    };
    Ok(Target {
        brokers: config.kafka.brokers.to_string(),
        app_id: config.app.id.clone(),
        subtopology: sub.name().to_owned(),
        topics: Topics {
            orders: config.topics.orders.name.clone(),
            commands: config.topics.commands.name.clone(),
            accounts: config.topics.accounts.name.clone(),
            deadletter: config.topics.deadletter.name.clone(),
            changelog: sub.changelog_topic(topology.app()),
        },
        state_dirs,
        postgres_url,
        consumer_overrides: config.kafka.consumer.as_map().clone(),
    })
}

/// Returns the folders with this application's stores. One that was named and is not there would silently not be judged.
fn state_dirs(config: &Config, named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let own = |dir: &PathBuf| dir.join(&config.app.id);
    if let Some(missing) = named.iter().map(own).find(|dir| !dir.is_dir()) {
        let text = format!(
            "{} is not there: --state-dir takes an instance's state.dir, the folder that holds one folder per app.id",
            missing.display()
        );
        return Err(Failure::new(Exit::Usage, "millpond::verify", text));
    }
    let configured = Some(own(&config.state.dir)).filter(|dir| dir.is_dir());
    Ok(named.iter().map(own).chain(configured).collect())
}

/// Returns the checks as a table, followed by what differs.
fn shown(report: &Report) -> String {
    let mut rows = table(&["RESULT", "INVARIANT", ">CHECKED", "FIGURE"]);
    let mut details = String::new();
    for check in &report.checks {
        let word = match &check.outcome {
            Outcome::Passed if check.passed() => "ok",
            Outcome::Passed | Outcome::Failed { .. } => "FAILED",
            Outcome::NotCheckable { .. } => "NOT CHECKED",
        };
        rows.add_row([word, check.title, &check.checked.to_string(), &check.figure]);
        match &check.outcome {
            Outcome::Passed => {}
            Outcome::NotCheckable { why } => details.push_str(&format!("\n{}: {why}\n", check.title)),
            Outcome::Failed { differences, count } => {
                details.push_str(&format!("\n{}: {}\n", check.title, counted(*count, "difference")));
                details.extend(differences.iter().map(|difference| format!("  {difference}\n")));
                let hidden = count.saturating_sub(u64::try_from(differences.len()).unwrap_or(u64::MAX));
                if hidden > 0 {
                    details.push_str(&format!("  and {hidden} more\n"));
                }
            }
        }
    }
    let verdict =
        if report.passed() { "every invariant holds" } else { "NOT every invariant was found to hold" };
    let lag = match report.lag {
        0 => "all input is committed".to_owned(),
        lag => format!("not judged, since not yet committed: {}", counted(lag, "input offset")),
    };
    format!("{}{details}\n{verdict}; {lag}\n", trimmed(&rows))
}

#[cfg(test)]
mod tests {
    use millpond_oracle::Check;

    use super::*;

    fn check(title: &'static str, checked: u64, outcome: Outcome) -> Check {
        Check { id: "id", title, checked, figure: "7 fen".to_owned(), outcome }
    }

    #[test]
    fn the_table_shows_every_check_and_then_the_differences() {
        let failed = Outcome::Failed { differences: vec!["user 7: 1 fen, not 2".to_owned()], count: 3 };
        let absent = Outcome::NotCheckable { why: "input is trimmed".to_owned() };
        let checks = vec![
            check("every order has one outcome", 200_000, Outcome::Passed),
            check("balances are the fold of the input", 20_000, failed),
            check("money is conserved", 0, absent),
            check("nothing was looked at", 0, Outcome::Passed),
        ];
        insta::assert_snapshot!(shown(&Report { checks, lag: 12 }));
    }

    #[test]
    fn a_clean_report_says_so() {
        let checks = vec![check("money is conserved", 3, Outcome::Passed)];
        let text = shown(&Report { checks, lag: 0 });
        assert!(text.ends_with("\nevery invariant holds; all input is committed\n"), "{text}");
    }
}
