//! The identity of a task: sub-topology number and partition.

use std::fmt;
use std::str::FromStr;

/// Identifies a task: one sub-topology for one partition. Shown as `0_3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Number of the sub-topology, in the order of its declaration, from 0.
    pub subtopology: u32,
    /// Partition of every input topic of the sub-topology.
    pub partition: u32,
}

impl TaskId {
    /// Returns the id of the task of `subtopology` for `partition`.
    #[must_use]
    pub const fn new(subtopology: u32, partition: u32) -> Self {
        Self { subtopology, partition }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

/// Says that a text is not a task id of the form `0_3`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a task id; the form is <sub-topology>_<partition>, for example 0_3")]
pub struct ParseTaskIdError(String);

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseTaskIdError(text.to_owned());
        let (subtopology, partition) = text.split_once('_').ok_or_else(wrong)?;
        let number = |part: &str| {
            if part.bytes().all(|b| b.is_ascii_digit()) {
                part.parse().map_err(|_| wrong())
            } else {
                Err(wrong())
            }
        };
        let id = Self { subtopology: number(subtopology)?, partition: number(partition)? };
        // A directory `0_03` beside `0_3` would be a second store of the same task.
        if id.to_string() == text { Ok(id) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_the_rest() {
        let id = TaskId::new(0, 3);
        assert_eq!(id.to_string(), "0_3");
        assert_eq!("12_34".parse(), Ok(TaskId::new(12, 34)));
        for wrong in
            ["", "_", "0", "0_", "_0", "0_-1", "+0_1", "0_1_2", "a_b", "0_4294967296", "00_3", "0_03"]
        {
            assert!(wrong.parse::<TaskId>().is_err(), "{wrong}");
        }
    }
}
