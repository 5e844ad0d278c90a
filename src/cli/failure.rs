//! What a person is told when a command fails: what happened, where, and what to do next.

use std::fmt;
use std::io::IsTerminal as _;

use miette::{Diagnostic, MietteHandlerOpts};

use super::Exit;
use crate::config::ConfigError;
use crate::telemetry::Color;
use crate::topics::TopicsError;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    code: &'static str,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// Makes a failure; `code` is stable and can be searched for.
    pub fn new(exit: Exit, code: &'static str, message: impl fmt::Display) -> Self {
        // The alternate form of `anyhow` errors holds their causes.
        Self { exit, code, message: format!("{message:#}"), help: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns how the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let code = match error {
            ConfigError::Unreadable { .. } => "millpond::config::unreadable",
            ConfigError::Syntax { .. } => "millpond::config::syntax",
            ConfigError::Problems(_) => "millpond::config::invalid",
        };
        Self::new(Exit::Usage, code, error)
    }
}

impl From<TopicsError> for Failure {
    fn from(error: TopicsError) -> Self {
        let (exit, code) = match error {
            TopicsError::Missing { .. } => (Exit::Precondition, "millpond::topics::missing"),
            TopicsError::Wrong(_) => (Exit::Precondition, "millpond::topics::wrong"),
            TopicsError::Unreachable { .. } => (Exit::Failed, "millpond::kafka::unreachable"),
            TopicsError::Client(_) => (Exit::Usage, "millpond::kafka::client"),
            TopicsError::Wait(_) => (Exit::Failed, "millpond::runtime"),
            TopicsError::Describe { .. } | TopicsError::Create { .. } | TopicsError::NotThere { .. } => {
                (Exit::Failed, "millpond::topics::refused")
            }
        };
        let help = match error {
            TopicsError::Missing { .. } => {
                Some("`millpond topics init` shows what it would create, with --execute it creates it")
            }
            TopicsError::Wrong(_) => Some("`millpond topics check` looks again after the cures"),
            TopicsError::Unreachable { .. } => Some(
                "is the address in kafka.brokers right, and do the brokers advertise listeners that \
                 this host \
                 reaches? Set other ones with --set kafka.brokers=host:port",
            ),
            TopicsError::Create { .. } => {
                Some("the broker's log says more; topics.*.replication may exceed its brokers")
            }
            _ => None,
        };
        let failure = Self::new(exit, code, error);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

/// Decides how failures are shown: with colors where `color` allows them.
pub fn show_failures(color: Color) {
    let color = color.on_stderr();
    let options = move || {
        let shown = MietteHandlerOpts::new().color(color).unicode(color).terminal_links(false);
        // What goes to a file or to a log collector is one line, so that commands in it can be found and copied whole.
        if std::io::stderr().is_terminal() { shown.width(110) } else { shown.wrap_lines(false) }
    };
    // A second call keeps the first decision, which is the same one.
    let _kept = miette::set_hook(Box::new(move |_| Box::new(options().build())));
}
