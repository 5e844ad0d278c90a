//! What the command line understands, and which file does it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::{
    Failure, RunArgs, config, demo, load, migrate, offsets, run, topics, topology, transactions, verify,
    version,
};
use crate::config::{ConfigError, Loaded, Sources};
use crate::demo::DemoArgs;
use crate::load::LoadArgs;
use crate::telemetry::{Color, Verbosity};

const AFTER_HELP: &str = "\
Configuration: defaults < --config FILE < environment (MILLPOND_KAFKA__BROKERS) < --set key=value.
`millpond config show` lists every key with its value. Secrets never go through --set: use
MILLPOND_SINK__POSTGRES__URL, or MILLPOND_SINK__POSTGRES__URL_FILE to name a file.

Exit codes: 0 ok, 1 failed while running, 2 wrong usage or configuration, 3 a check found a
difference, 4 a precondition does not hold, 5 the plan has changes that --execute would apply.";

/// Stateful, partitioned, exactly-once stream processing on Apache Kafka.
#[derive(Debug, Parser)]
#[command(name = "millpond", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "MILLPOND_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Sets a key of the configuration; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", action = ArgAction::Append)]
    set: Vec<String>,
    /// Logs errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Logs more: -v what millpond decides, -vv everything; RUST_LOG decides instead where set
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Writes no colors, as with NO_COLOR
    #[arg(long, global = true)]
    no_color: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs an application: processor, PostgreSQL sink or both
    Run(RunArgs),
    /// Shows the whole: load, a killed processor, PostgreSQL, and the proof that everything is exact
    Demo(DemoArgs),
    /// Writes accounts, deposits and orders, reproducible by their seed
    Load(LoadArgs),
    /// Brings the PostgreSQL schema up to date
    Migrate(migrate::MigrateArgs),
    /// Checks every invariant against Kafka, RocksDB and PostgreSQL; exit 3 on a difference
    Verify(verify::VerifyArgs),
    /// Creates topics, or checks that they are as configured
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
    /// Shows the graph of sources, processors, stores and sinks
    #[command(subcommand)]
    Topology(topology::TopologyCommand),
    /// Shows how far the inputs are read
    #[command(subcommand)]
    Offsets(offsets::OffsetsCommand),
    /// Shows open transactions, and ends those whose end the brokers lost
    #[command(subcommand)]
    Transactions(transactions::TransactionsCommand),
    /// Shows or validates the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Shows what this binary was built from
    Version(version::VersionArgs),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// A failure, with the exit code that it ends the process with.
    pub fn execute(self) -> Result<ExitCode, Failure> {
        let Self { global, command } = self;
        let exit = match command {
            // It has an exit code of its own, for a proof that does not hold.
            Command::Demo(args) => return demo::run(&global, &args),
            Command::Run(args) => run::run(&global, &args),
            Command::Load(args) => load::run(&global, &args),
            Command::Migrate(args) => migrate::run(&global, &args),
            Command::Verify(args) => verify::run(&global, &args),
            Command::Topics(command) => topics::run(&global, &command),
            Command::Topology(command) => topology::run(&global, &command),
            Command::Offsets(command) => offsets::run(&global, &command),
            Command::Transactions(command) => transactions::run(&global, &command),
            Command::Config(command) => config::run(&global, &command),
            Command::Version(args) => version::run(&args),
        };
        exit.map(ExitCode::from)
    }

    /// Returns how much is to be logged.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        match (self.global.quiet, self.global.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Everything,
        }
    }

    /// Returns whether escape sequences may be written.
    #[must_use]
    pub fn color(&self) -> Color {
        if self.global.no_color { Color::Never } else { Color::Auto }
    }
}

impl Global {
    /// Reads the configuration.
    ///
    /// # Errors
    /// A layer cannot be read, or a key or value is wrong.
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        self.load_with(vec![])
    }

    /// Reads the configuration with more `key=value`, for flags of a command that stand for a key.
    ///
    /// # Errors
    /// As [`Global::load`].
    pub(super) fn load_with(&self, more: Vec<String>) -> Result<Loaded, ConfigError> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let set = self.set.iter().cloned().chain(more).collect();
        let environment = std::env::vars_os().filter_map(text).collect();
        crate::config::load(&Sources { file: self.config.clone(), environment, set })
    }

    /// Returns the configuration file, if one is named.
    pub(super) fn file(&self) -> Option<&std::path::Path> {
        self.config.as_deref()
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
