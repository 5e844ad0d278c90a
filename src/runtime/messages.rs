//! Messages between the threads of an instance.

use millpond_topology::TaskId;

use super::owned_task::OwnedTask;
use crate::engine::Incarnation;

/// To a stream thread.
pub(crate) enum ToThread {
    /// A restored task to run.
    Open(Box<OwnedTask>),
    /// A task to commit and give up.
    Close(TaskId, Incarnation),
    /// The read_committed end of a task's changelog, as just asked.
    ChangelogEnd {
        /// The task.
        task: TaskId,
        /// The end.
        last_stable: i64,
    },
    /// Drop everything, then acknowledge.
    Lost,
    /// End; no tasks are left.
    Stop,
}

/// To the instance's own thread.
pub(crate) enum ToInstance {
    /// A task is restored.
    Restored(Box<OwnedTask>),
    /// A restore was given up because the task is no longer wanted.
    RestoreCancelled(TaskId, Incarnation),
    /// A task is closed and free. A message about an earlier acquisition means nothing.
    Closed(TaskId, Incarnation),
    /// A thread has dropped everything after a loss.
    LossAcknowledged(usize),
}

/// A task to restore.
#[derive(Debug, Clone)]
pub(crate) struct RestoreRequest {
    /// The task.
    pub task: TaskId,
    /// Its acquisition.
    pub incarnation: Incarnation,
    /// Transactional ids of instances that are not in the current generation.
    pub dead_ids: Vec<String>,
}
