//! Why a configuration was refused.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::origin::Origin;

/// Why a configuration could not be read.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be opened or is not UTF-8.
    #[error("cannot read the configuration file {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// Keys or values are wrong; all of them are listed.
    #[error("{}", Listed(.0))]
    Problems(Vec<Problem>),
}

/// One wrong key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// The key and what is wrong with it.
    pub finding: Finding,
}

/// What is wrong with a key or its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key.
    pub key: String,
    /// What is wrong, as the rest of a sentence that begins with the key.
    pub what: String,
    /// What to do, as a sentence without a full stop.
    pub cure: Option<String>,
}

impl Finding {
    /// Makes a finding without a cure.
    pub(super) fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { key: key.into(), what: what.into(), cure: None }
    }

    /// Adds what to do.
    pub(super) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { key, what, .. } = &self.finding;
        let key = if key.is_empty() { "\"\"" } else { key };
        match &self.origin {
            Origin::Default => write!(f, "{key} {what}")?,
            // A flag that is the key needs no repetition.
            Origin::Flag { flag } if flag.ends_with(key) => write!(f, "{flag} {what}")?,
            origin => write!(f, "{origin}: {key} {what}")?,
        }
        match &self.finding.cure {
            Some(cure) => write!(f, "; {cure}"),
            None => Ok(()),
        }
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "{one}"),
            many => {
                write!(f, "{} problems in the configuration", many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}
