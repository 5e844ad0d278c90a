//! How a command ends.

use std::process::ExitCode;

/// How a command ends; the numbers are an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked.
    Ok = 0,
    /// It failed while running.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A check found a difference.
    Difference = 3,
    /// Something that must hold before does not.
    Precondition = 4,
    /// There is a plan, and `--execute` was not given.
    Planned = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
