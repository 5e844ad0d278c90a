//! The contract between the membership thread and whatever group protocol is behind it.

use std::time::{Duration, Instant};

use thiserror::Error;

use crate::{
    event::{Event, Leave},
    machine::Refused,
    report::Report,
};

/// Why a membership cannot go on. Network trouble is none: it is retried for ever.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Down {
    /// The member left, or lost its instance id to another process.
    #[error("the membership has ended")]
    Ended,
    /// An input came in a state that does not take it: a defect in the caller.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// This process's place in its consumer group, driven by a thread of the caller's own.
///
/// ```text
/// loop { wait until due() or the report changed; for event in beat(now, &report)? { tell the engine } }
/// ```
pub trait Membership: Send {
    /// Does what is due: heartbeats, joins, connects, takes answers. Blocks for a few tens of milliseconds
    /// while an answer is outstanding, and for a connection attempt's timeout at most.
    ///
    /// # Errors
    /// [`Down::Ended`] after leaving or after losing the instance id.
    fn beat(&mut self, now: Instant, report: &Report) -> Result<Vec<Event>, Down>;

    /// Returns when [`beat`](Self::beat) is to be called next, unless the report changes earlier.
    fn due(&self) -> Instant;

    /// Returns from when, at the latest, a coordinator counts this member's session, and how long the session is; `None`
    /// while it is in no generation.
    fn confirmed(&self) -> Option<(Instant, Duration)>;

    /// Confirms that every active task was dropped after [`Event::Lost`]. Until then nothing is joined.
    ///
    /// # Errors
    /// [`Down::Refused`] when nothing was lost.
    fn acknowledge_lost(&mut self, now: Instant) -> Result<(), Down>;

    /// Ends the membership. Waits for the coordinator's answer for `within`, and for a few seconds at most.
    fn leave(&mut self, now: Instant, how: Leave, within: Duration);
}
