//! The layers above the defaults; each yields what it sets, as text with its origin.

mod environment;
mod file;
mod flags;

use super::error::{Finding, Problem};
use super::origin::Origin;

pub(super) use environment::from_environment;
pub(super) use file::from_file;
pub(super) use flags::from_flags;

/// A key that a layer sets. The key is not yet known to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The key, `commit.interval`.
    pub(super) key: String,
    /// The value, as text.
    pub(super) text: String,
    /// Where it stands.
    pub(super) origin: Origin,
}

/// What a layer sets, and what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) assignments: Vec<Assignment>,
    pub(super) problems: Vec<Problem>,
}

impl Layer {
    fn assign(&mut self, key: impl Into<String>, text: impl Into<String>, origin: Origin) {
        self.assignments.push(Assignment { key: key.into(), text: text.into(), origin });
    }

    fn refuse(&mut self, origin: Origin, finding: Finding) {
        self.problems.push(Problem { origin, finding });
    }
}
