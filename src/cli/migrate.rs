//! `millpond migrate`: the PostgreSQL schema.

use clap::Args;
use serde::Serialize;
use tokio::runtime::Builder;

use super::output::{Format, json, print};
use super::{Exit, Failure, Global};
use crate::config::Secret;
use crate::sink::{self, MigrateError};

/// SQLSTATE of a server that does not take connections yet.
const STARTING_UP: &str = "57P03";

/// Arguments of `millpond migrate`.
#[derive(Clone, Debug, Args)]
pub(super) struct MigrateArgs {
    /// How to show what was done
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Serialize)]
struct Applied {
    applied: Vec<String>,
}

pub(super) fn run(global: &Global, args: &MigrateArgs) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let applied = apply(config.postgres_url()?).map_err(|error| failure(&error))?;
    let text = match args.output {
        Format::Json => json(&Applied { applied })?,
        Format::Table if applied.is_empty() => "the schema is up to date\n".to_owned(),
        Format::Table => applied.iter().map(|migration| format!("applied {migration}\n")).collect(),
    };
    print(&text)?;
    Ok(Exit::Ok)
}

/// Brings the schema up to date and returns the migrations that were applied, `0001 create sink offsets`.
pub(super) fn apply(url: &Secret) -> Result<Vec<String>, MigrateError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| MigrateError::Connect(sqlx::Error::Io(error)))?;
    let report = runtime.block_on(sink::migrate(url.expose()))?;
    let shown = |migration: sink::Applied| format!("{:04} {}", migration.version, migration.description);
    Ok(report.applied.into_iter().map(shown).collect())
}

/// Tells whether the database is away or starting, which waiting mends.
pub(super) fn is_passing(error: &MigrateError) -> bool {
    match error {
        MigrateError::Connect(sqlx::Error::Io(_)) => true,
        MigrateError::Connect(sqlx::Error::Database(answer)) => answer.code().as_deref() == Some(STARTING_UP),
        MigrateError::Connect(_) | MigrateError::Migrate(_) | MigrateError::List(_) => false,
    }
}

/// Returns what a person is told.
pub(super) fn failure(error: &MigrateError) -> Failure {
    let help = match error {
        MigrateError::Connect(_) => {
            "is the host in sink.postgres.url right, does the database exist, and may the user \
             connect to it? `psql \
             URL` shows what the server says"
        }
        MigrateError::Migrate(_) | MigrateError::List(_) => {
            "migrations before it are kept; after the cause is mended, `millpond migrate` goes on"
        }
    };
    Failure::new(Exit::Failed, "millpond::postgres::migrate", error).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_waited_for_and_a_wrong_url_is_not() {
        // A port that nothing listens on: it was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let away = apply(&Secret::new(format!("postgres://u:hunter2@{free}/d"))).unwrap_err();
        assert!(is_passing(&away), "{away:?}");
        let wrong = apply(&Secret::new("postgres://u@localhost:port/d")).unwrap_err();
        assert!(!is_passing(&wrong), "{wrong:?}");
        for error in [&away, &wrong] {
            let told = failure(error).to_string();
            assert!(told.contains("PostgreSQL cannot be reached") && !told.contains("hunter2"), "{told}");
        }
    }
}
