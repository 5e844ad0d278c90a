//! The command line: one file per command. Data goes to standard output, everything else to standard error.

mod args;
mod config;
mod demo;
mod exit;
mod failure;
mod load;
mod migrate;
mod offsets;
mod output;
mod reader;
mod run;
mod topics;
mod topology;
mod transactions;
mod verify;
mod version;

pub use args::Cli;
use args::Global;
pub use exit::Exit;
pub use failure::{Failure, show_failures};
pub use run::RunArgs;
