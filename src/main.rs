//! The millpond binary: parse, set up, do, exit.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use millpond::cli::{Cli, Exit, Failure, show_failures};
use millpond::kafka::{end_process, give_back_memory};
use millpond::telemetry;

fn main() -> ExitCode {
    give_back_memory();
    let cli = Cli::parse();
    show_failures(cli.color());
    let started = telemetry::start(cli.verbosity(), cli.color());
    let started = started.map_err(|error| Failure::new(Exit::Usage, "millpond::telemetry", error));
    let started = started.and_then(|()| choose_mutant());
    match started.and_then(|()| cli.execute()) {
        Ok(exit) => exit,
        Err(failure) => {
            let exit = failure.exit();
            // The debug form of a report is the one made for people.
            eprintln!("{:?}", miette::Report::new(failure));
            // Not by returning: threads of an instance that failed may still be at work.
            let _ = std::io::stderr().flush();
            end_process(exit as u8)
        }
    }
}

/// Wrong variants of the protocol, for tests only: without the feature `failpoints` asking for one is an error.
fn choose_mutant() -> Result<(), Failure> {
    let chosen = millpond_mutants::from_environment();
    for mutant in chosen.map_err(|error| Failure::new(Exit::Usage, "millpond::mutant", error))? {
        tracing::warn!(%mutant, "this process is wrong on purpose");
    }
    Ok(())
}
