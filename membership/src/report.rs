//! What the engine tells the membership on every beat.

use std::collections::BTreeMap;

use millpond_topology::TaskId;

use crate::plan::Tasks;

/// How far a task's local store is behind its changelog, in offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Changelog position up to which the local store is complete.
    pub position: i64,
    /// Changelog end as last seen.
    pub end: i64,
}

impl Lag {
    /// Returns the number of changelog offsets still to be read.
    #[must_use]
    pub fn offsets(self) -> u64 {
        u64::try_from(self.end.saturating_sub(self.position)).unwrap_or(0)
    }
}

/// What this process owns now.
///
/// Dropping a task from `active` is the release: only then may another member get it. `generation` says which
/// [`Target`](crate::Target) or fence the report already knows, so that a task granted a moment ago and not
/// yet seen by the engine is not taken for released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Generation of the last Target or Fence event that the engine has applied; -1 before the first and
    /// after a loss.
    pub generation: i32,
    /// Active tasks owned now, restoring ones included; every task of an applied target until it is released.
    pub active: Tasks,
    /// Standby tasks kept now.
    pub standby: Tasks,
    /// Tasks being warmed up now.
    pub warmup: Tasks,
    /// Lag of every local store, also of tasks that are not assigned here; may be empty.
    pub lag: BTreeMap<TaskId, Lag>,
    /// Whether a warm-up has caught up, so that a new plan is wanted.
    pub ready: bool,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            generation: -1,
            active: Tasks::new(),
            standby: Tasks::new(),
            warmup: Tasks::new(),
            lag: BTreeMap::new(),
            ready: false,
        }
    }
}
