//! Why a lane ends the process.

use millpond_topology::TaskId;

use super::owned_task::ApplyError;
use crate::engine::Illegal;
use crate::kafka::{CallError, code};

/// A failure after which nothing can be proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    /// A programmer's error in the edge.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// A store lacks what Kafka has committed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The machine decided to stop.
    #[error("{0}")]
    Stop(String),
    /// The broker refuses the producer for good.
    #[error(
        "producer `{id}` is refused: {error}. Check the ACLs: Write on transactional ids with this prefix"
    )]
    Refused {
        /// Transactional id.
        id: String,
        /// What the broker said.
        error: CallError,
    },
    /// There is no producer.
    #[error("no producer is running")]
    NoProducer,
    /// The process is ending.
    #[error("the process is stopping")]
    Stopping,
    /// Too many calls hang.
    #[error(
        "{0} producers hang in calls that never return: the cluster's coordinators do not answer; restart when they do"
    )]
    TooManyAbandoned(usize),
    /// An offset that librdkafka would drop.
    #[error("offset {offset} of {topic}-{partition} cannot be committed")]
    BadOffset {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset.
        offset: i64,
    },
    /// A nonce that this process would write is already there.
    #[error(
        "task {task} would repeat nonce {nonce}, which is already committed: another process runs with this state"
    )]
    NonceRepeated {
        /// Task.
        task: TaskId,
        /// The nonce.
        nonce: String,
    },
}

/// What is said when another process has taken this one's static place in the group.
pub(crate) const INSTANCE_ID_TAKEN: &str =
    "another live process uses this instance id; give every process an `instance.id` of its own";

/// Says what the broker refused for good, and what helps.
pub(crate) fn refusal(call: &str, error: &CallError) -> String {
    match error.code {
        code::FENCED_INSTANCE_ID => INSTANCE_ID_TAKEN.to_owned(),
        _ => format!(
            "the broker refuses the transaction for good at {call}: {error}. Check its version (0.11 or newer) and the ACLs: \
             Write on the output topics and on transactional ids with this prefix, Read on the group"
        ),
    }
}
