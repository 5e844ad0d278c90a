//! The number of stream threads.

use std::fmt;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use serde::{Serialize, Serializer};

use crate::config::setting::Setting;

/// Most threads of one process: each has two transactional ids, and the group's assignment lists them all.
pub(crate) const THREADS_MAX: u32 = 64;

/// How many stream threads a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Threads {
    /// One per core, at most one per task.
    Auto,
    /// This many, 1 to 64.
    Fixed(u32),
}

impl Threads {
    /// Returns the number of threads for at most `tasks` tasks, at least 1.
    #[must_use]
    pub fn count(self, tasks: usize) -> usize {
        let most = THREADS_MAX as usize;
        match self {
            Self::Auto => available_parallelism().map_or(1, NonZeroUsize::get).min(tasks).clamp(1, most),
            Self::Fixed(count) => (count as usize).clamp(1, most),
        }
    }
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(count) => write!(f, "{count}"),
        }
    }
}

impl Serialize for Threads {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => out.serialize_str("auto"),
            Self::Fixed(count) => out.serialize_u32(*count),
        }
    }
}

impl Setting for Threads {
    fn read(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.parse() {
            Ok(count @ 1..=THREADS_MAX) => Ok(Self::Fixed(count)),
            _ => Err(format!("must be auto or a number from 1 to {THREADS_MAX}")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_bounded_by_the_tasks_and_never_zero() {
        assert_eq!(Threads::Auto.count(1), 1);
        assert_eq!(Threads::Auto.count(0), 1);
        assert_eq!(Threads::Fixed(3).count(1), 3);
        assert!(Threads::read("0").is_err() && Threads::read("65").is_err());
        assert_eq!(Threads::read("64"), Ok(Threads::Fixed(64)));
    }
}
