//! What goes into the commit machine and comes out of it: stages, events, actions.

use std::time::Duration;

use millpond_membership::Fence;
use millpond_topology::TaskId;

use super::class::Class;
use super::nonce::{Incarnation, Nonce};
use super::ownership::Snapshot;
use super::resolve::Judgement;

/// A task of a transaction, as noted when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The task.
    pub task: TaskId,
    /// Its acquisition.
    pub incarnation: Incarnation,
    /// The nonce that this transaction commits.
    pub nonce: Nonce,
    /// The nonce before, as restored or committed; `None` when there was no committed offset.
    pub previous: Option<Nonce>,
}

/// An open transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Txn {
    /// Its tasks.
    pub members: Vec<Member>,
    /// Nothing of it may be redone or applied: the group threw this process out.
    pub lost: bool,
    /// The producer must be replaced before the next transaction (rule R3).
    pub impure: bool,
    /// The abort was caused by a record that Kafka refuses.
    pub record: bool,
    /// The acknowledgements were slow: after an abort a late duplicate may still be on its way, which counts for R3.
    pub slow_flush: bool,
}

/// Where the transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// No transaction.
    Idle,
    /// No transaction; the producer is being replaced before the next one.
    Recycling,
    /// Being filled.
    Open(Txn),
    /// Content, then offsets, are on their way.
    Sending(Txn),
    /// The offsets are in the transaction.
    OffsetsSent(Txn),
    /// The commit was sent; with the time of its first call.
    Committing(Txn, Duration),
    /// Known to be committed, not yet applied.
    Committed(Txn),
    /// Being aborted.
    Aborting(Txn),
    /// The abort failed or a call hung: a new producer fences the old one, which aborts.
    Fencing(Txn),
    /// Known to be aborted, records not yet taken back.
    Aborted(Txn),
    /// The commit may or may not have happened.
    Unknown(Txn),
    /// Others moved on, or will: everything of it is being dropped.
    Dropping(Txn),
}

/// A stage without its data, for logs, metrics and the table test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "as in `Stage`")]
pub enum Phase {
    Idle,
    Recycling,
    Open,
    Sending,
    OffsetsSent,
    Committing,
    Committed,
    Aborting,
    Fencing,
    Aborted,
    Unknown,
    Dropping,
}

impl Phase {
    /// Returns the name, for logs and the status page.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Recycling => "recycling",
            Self::Open => "open",
            Self::Sending => "sending",
            Self::OffsetsSent => "offsets sent",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Aborting => "aborting",
            Self::Fencing => "fencing",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
            Self::Dropping => "dropping",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A transaction of these tasks begins.
    Begin(Vec<Member>),
    /// The transaction is to be committed.
    Due,
    /// The content must not be committed (a produce error before the commit, a processor's failure).
    Spoiled(Class),
    /// Nothing was produced: a transaction of the past is open where it would go.
    Withheld,
    /// The content is acknowledged.
    Produced {
        /// How long the acknowledgements took.
        took: Duration,
        /// Ownership as of now.
        snapshot: Snapshot,
    },
    /// `send_offsets` returned.
    OffsetsReply {
        /// How long the call took.
        took: Duration,
        /// What it said.
        result: Result<(), Class>,
    },
    /// The commit call was handed over.
    CommitStarted,
    /// A commit call returned.
    CommitReply {
        /// How long the call took.
        took: Duration,
        /// What it said.
        result: Result<(), Class>,
    },
    /// The abort call returned.
    AbortReply {
        /// How long the call took.
        took: Duration,
        /// What it said.
        result: Result<(), Class>,
    },
    /// A call hung past its watchdog; its thread and handle are abandoned.
    Expired,
    /// A new producer with the same transactional id is initialised.
    ProducerReplaced,
    /// The unknown transaction was judged.
    Resolved(Judgement),
    /// Committed state is in the stores.
    Applied,
    /// Records are taken back (or dropped).
    RolledBack,
    /// The group threw this process out.
    Lost,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin a transaction on the producer.
    BeginTransaction,
    /// Seal the tasks, produce, wait for the acknowledgements.
    Produce,
    /// Send the offsets of all tasks under this fence.
    SendOffsets(Fence),
    /// Call commit (also: again).
    Commit,
    /// Call abort.
    Abort,
    /// Abandon or close the producer, create and initialise a new one.
    ReplaceProducer(Reason),
    /// Read the stable committed nonces of the transaction's tasks and judge.
    Resolve,
    /// Write the sealed state of these tasks into their stores and promote it.
    Apply(Vec<TaskId>),
    /// Take the records of these tasks back and process them again from memory.
    Redo(Vec<TaskId>),
    /// As `Redo`, with half the records: one of them is refused by Kafka.
    RedoHalved(Vec<TaskId>),
    /// Forget these tasks; their next owner restores them.
    Drop(Vec<TaskId>),
    /// Stop the process.
    Stop(String),
}

/// Why a producer is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A call took suspiciously long or failed (rule R3).
    Impure,
    /// The outcome of a commit is unknown (rule R2).
    Unknown,
    /// A call hung past its watchdog.
    Hung,
    /// librdkafka declared the instance finished.
    Fatal,
}

impl Reason {
    /// Returns the metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Impure => "impure",
            Self::Unknown => "unknown",
            Self::Hung => "hung",
            Self::Fatal => "fatal",
        }
    }
}

/// Says that an event makes no sense in a stage. The machine is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit state machine: {event} in {phase:?}")]
pub struct Illegal {
    /// The stage.
    pub phase: Phase,
    /// The event.
    pub event: &'static str,
}

/// Limits of the commit machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A call that takes this long makes the producer impure: 0.8 x `retry.backoff.ms`.
    pub impure_after: Duration,
    /// How long the same commit call is repeated before the outcome is resolved by fencing.
    pub commit_deadline: Duration,
    /// Two fatal fencings within this time without a loss between mean that another live process uses this instance id.
    pub fenced_twice_within: Duration,
}

/// Returns an event's name, for logs.
pub(super) fn name(event: &Event) -> &'static str {
    match event {
        Event::Begin(_) => "Begin",
        Event::Due => "Due",
        Event::Spoiled(_) => "Spoiled",
        Event::Withheld => "Withheld",
        Event::Produced { .. } => "Produced",
        Event::OffsetsReply { .. } => "OffsetsReply",
        Event::CommitStarted => "CommitStarted",
        Event::CommitReply { .. } => "CommitReply",
        Event::AbortReply { .. } => "AbortReply",
        Event::Expired => "Expired",
        Event::ProducerReplaced => "ProducerReplaced",
        Event::Resolved(_) => "Resolved",
        Event::Applied => "Applied",
        Event::RolledBack => "RolledBack",
        Event::Lost => "Lost",
    }
}
