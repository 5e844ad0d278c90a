//! What came of carrying a transaction through.

use millpond_topology::{Applied, TaskId};

use crate::engine::Reason;

/// What a lane did until its machine rested.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// A transaction was committed and applied.
    pub committed: bool,
    /// A transaction was aborted; its records are to be processed again.
    pub aborted: bool,
    /// What was applied, per task.
    pub applied: Vec<(TaskId, Applied)>,
    /// Tasks to forget: others own them, or nothing can be proven about them.
    pub dropped: Vec<TaskId>,
    /// Producers that were replaced.
    pub recycled: Vec<Reason>,
    /// Kafka refused a record, with this code: redo with half as many.
    pub record_refused: Option<i32>,
}
