//! What the membership tells the engine.

use thiserror::Error;

use crate::{fence::Fence, plan::Tasks};

/// The transactional ids of one instance of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Static instance id, or the member id of a dynamic member.
    pub owner: String,
    /// Last generation in which the instance was a member. It is alive as far as the group knows when this is
    /// the generation of the target's fence.
    pub generation: i32,
    /// Every transactional id it may have a transaction open under.
    pub transactional_ids: Vec<String>,
}

/// All that this process is to run: the whole target, not a difference.
///
/// A task that a target leaves out is to be given up (resolve, commit, close) and then dropped from
/// [`Report::active`](crate::Report), even if a later target names it again meanwhile: it comes back as a new
/// acquisition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The fence for every transaction from now on.
    pub fence: Fence,
    /// Tasks to process.
    pub active: Tasks,
    /// Tasks to keep a copy of.
    pub standby: Tasks,
    /// Tasks to bring up to date before they move here.
    pub warmup: Tasks,
    /// Transactional ids of all members of this generation and of those that left within the last few
    /// ([`REMEMBERED_GENERATIONS`](crate::REMEMBERED_GENERATIONS)).
    pub producers: Vec<Producer>,
}

/// Why this process is no member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Why {
    /// The coordinator does not know the member id: the session timed out, or the group was deleted.
    #[error("the group coordinator does not know this member any more")]
    UnknownMember,
    /// Another live process uses the same instance id. The process must end.
    #[error("another live process uses the same instance id")]
    FencedInstance,
    /// No answer from a coordinator for a whole session: the others may already have been told to take over.
    #[error("no answer from the group coordinator for a whole session")]
    SessionExpired,
    /// A generation passed in which this member had no seat: a JoinGroup of its own that came late may have spoken for it,
    /// with claims long past, and its tasks may have gone to others.
    #[error("a generation of the group passed without this member")]
    MissedGeneration,
}

/// What happened to this process's place in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Tasks, fence or known producers changed.
    Target(Target),
    /// The generation moved and nothing else. The engine applies it like a target, see
    /// [`Report::generation`](crate::Report).
    Fence(Fence),
    /// Whether `send_offsets` should wait: a JoinGroup is out and the generation may move at any time. The
    /// wait is bounded (about 300 ms, then on with the old generation); a repeated `Hold(true)` starts it
    /// again.
    Hold(bool),
    /// Drop active tasks without committing; keep standbys. No new fence comes before the loss is
    /// acknowledged.
    Lost(Why),
    /// What keeps this member from joining or from getting tasks, each with its cure; empty when it is over.
    Blocked(Vec<String>),
}

/// How to end a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leave {
    /// Leave the group: the others take over at once.
    Gone,
    /// Close without leaving: a static member that is back within the session keeps its tasks and generation.
    Back,
}
