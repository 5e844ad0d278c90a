//! `millpond-bench`: measures the built binary as a user runs it. See `benches/README.md`.

mod drain;
mod process;
mod report;
mod restore;
mod system;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures the built binary.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Processes preloaded orders as fast as possible
    Drain(drain::DrainArgs),
    /// Restores the stores that a drain left, from nothing
    Restore(restore::RestoreArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Drain(args) => drain::run(&args),
        Command::Restore(args) => restore::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millpond-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
