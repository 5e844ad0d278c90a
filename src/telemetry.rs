//! Log lines: pretty on a terminal, JSON otherwise, on standard error only.

use std::io::{self, IsTerminal as _};

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

/// Crates whose debug lines drown ours.
const NOISY: [&str; 4] = ["hyper", "sqlx", "librdkafka", "rdkafka"];

/// How much is logged, from `-q` and `-v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings and what an operator should know.
    Normal,
    /// What millpond decides.
    Verbose,
    /// Everything, libraries included.
    Everything,
}

/// Whether escape sequences are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Never.
    Never,
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is not a filter.
    #[error("RUST_LOG is not a filter such as info,millpond=debug: {0}")]
    Filter(String),
    /// It was set up before.
    #[error("logging is set up already")]
    Twice(#[from] TryInitError),
}

impl Verbosity {
    /// Returns the filter, in the syntax of `RUST_LOG`.
    fn filter(self) -> String {
        let quiet_libraries = |own: &str| {
            let libraries = NOISY.iter().map(|library| format!(",{library}=warn"));
            libraries.fold(own.to_owned(), |filter, library| filter + &library)
        };
        match self {
            Self::Quiet => "error".to_owned(),
            Self::Normal => quiet_libraries("info"),
            Self::Verbose => quiet_libraries("debug"),
            Self::Everything => "trace".to_owned(),
        }
    }
}

impl Color {
    /// Tells whether standard error takes escape sequences.
    #[must_use]
    pub fn on_stderr(self) -> bool {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        self == Self::Auto && wanted && io::stderr().is_terminal()
    }
}

/// Sets up logging for the process. `RUST_LOG`, where set, decides instead of `verbosity`.
///
/// # Errors
/// `RUST_LOG` is not a filter, or logging is set up already.
pub fn start(verbosity: Verbosity, color: Color) -> Result<(), TelemetryError> {
    use tracing_subscriber::prelude::*;

    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let filter = filter.unwrap_or_else(|| verbosity.filter());
    let filter = EnvFilter::try_new(&filter).map_err(|error| TelemetryError::Filter(error.to_string()))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    if io::stderr().is_terminal() {
        registry.with(lines.with_ansi(color.on_stderr()).with_target(false)).try_init()?;
    } else {
        registry.with(lines.json().flatten_event(true)).try_init()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verbosity_is_a_filter() {
        for verbosity in [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose, Verbosity::Everything] {
            EnvFilter::try_new(verbosity.filter()).unwrap();
        }
        assert_eq!(Verbosity::Normal.filter(), "info,hyper=warn,sqlx=warn,librdkafka=warn,rdkafka=warn");
    }
}
