//! `millpond demo`.

use std::process::ExitCode;

use super::{Exit, Failure, Global};
use crate::demo::DemoArgs;

pub(super) fn run(global: &Global, args: &DemoArgs) -> Result<ExitCode, Failure> {
    let config = global.load()?.config;
    crate::demo::run(&config, args).map_err(|error| {
        let exit = match error.exit_code() {
            4 => Exit::Precondition,
            _ => Exit::Failed,
        };
        Failure::new(exit, "millpond::demo", error)
    })
}
