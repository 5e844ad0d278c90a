//! States, inputs and outputs of the machine, and which input each state takes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;

use crate::{
    event::{Event, Leave, Why},
    report::Report,
    settings::HostPort,
};

/// What happens to the machine.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Time has passed.
    Tick,
    /// The connection asked for is there.
    Connected,
    /// The connection could not be made, or broke.
    Disconnected,
    /// Bytes came in, cut anywhere.
    Bytes(&'a [u8]),
    /// What the engine owns now.
    Report(&'a Report),
    /// The engine has dropped what was lost.
    AcknowledgeLost,
    /// The membership is to end.
    Leave(Leave),
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect, replacing any connection, and answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect {
        /// Where to.
        to: HostPort,
        /// How long it may take.
        timeout: Duration,
    },
    /// Send on the connection.
    Send(Bytes),
    /// Close the connection.
    Close,
    /// Tell the engine.
    Tell(Event),
}

/// A request that is out; there is never more than one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) correlation: i32,
    pub(super) sent: Instant,
    pub(super) until: Instant,
}

/// What a connection is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Find,
    Coordinate,
    Leave,
}

/// Where the connection and the protocol stand.
///
/// ```text
/// Resting ─time▶ Dialing ─▶ Finding ─▶ Dialing ─▶ Joining ─▶ Syncing ─▶ Stable
///    ▲                                     └─▶ Stable (still a member) ◀──┘ │ group moves, task released
///    └── connection lost, coordinator away, no answer: from any of them     └─▶ Joining
/// a member unknown to its coordinator, or silent for a session ─▶ Lost ─acknowledged▶ Resting
/// instance id taken over ─▶ Lost ─acknowledged▶ Ended          leave ─▶ (Dialing ─▶ Leaving ─▶) Ended
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Resting { until: Instant },
    Dialing { purpose: Purpose, until: Instant },
    Finding { asked: Asked },
    Joining { asked: Asked },
    Syncing { asked: Asked, generation: i32 },
    Stable { beat: Instant, asked: Option<Asked> },
    Lost { why: Why },
    Leaving { asked: Asked },
    Ended,
}

/// The state without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateKind {
    /// Waiting before the next attempt.
    Resting,
    /// Connecting to a bootstrap server or to the coordinator.
    Dialing,
    /// Asking for the coordinator.
    Finding,
    /// A JoinGroup is out.
    Joining,
    /// A SyncGroup is out.
    Syncing,
    /// Member of a generation.
    Stable,
    /// Waiting for the engine to acknowledge a loss.
    Lost,
    /// Connecting to the coordinator in order to leave.
    DialingToLeave,
    /// A LeaveGroup is out.
    Leaving,
    /// Over.
    Ended,
}

/// The input without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputKind {
    /// [`Input::Tick`].
    Tick,
    /// [`Input::Connected`].
    Connected,
    /// [`Input::Disconnected`].
    Disconnected,
    /// [`Input::Bytes`].
    Bytes,
    /// [`Input::Report`].
    Report,
    /// [`Input::AcknowledgeLost`].
    AcknowledgeLost,
    /// [`Input::Leave`].
    Leave,
}

/// An input came that the state does not take; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{input:?} is not possible while {state:?}")]
pub struct Refused {
    /// The state.
    pub state: StateKind,
    /// The input.
    pub input: InputKind,
}

impl State {
    pub(super) const fn kind(&self) -> StateKind {
        match self {
            Self::Resting { .. } => StateKind::Resting,
            Self::Dialing { purpose: Purpose::Leave, .. } => StateKind::DialingToLeave,
            Self::Dialing { .. } => StateKind::Dialing,
            Self::Finding { .. } => StateKind::Finding,
            Self::Joining { .. } => StateKind::Joining,
            Self::Syncing { .. } => StateKind::Syncing,
            Self::Stable { .. } => StateKind::Stable,
            Self::Lost { .. } => StateKind::Lost,
            Self::Leaving { .. } => StateKind::Leaving,
            Self::Ended => StateKind::Ended,
        }
    }

    /// Returns the request that is out.
    pub(super) const fn asked(&self) -> Option<Asked> {
        match self {
            Self::Finding { asked }
            | Self::Joining { asked }
            | Self::Syncing { asked, .. }
            | Self::Leaving { asked } => Some(*asked),
            Self::Stable { asked, .. } => *asked,
            Self::Resting { .. } | Self::Dialing { .. } | Self::Lost { .. } | Self::Ended => None,
        }
    }

    /// Tells whether a connection is open or being made.
    pub(super) const fn is_connected(&self) -> bool {
        !matches!(self, Self::Resting { .. } | Self::Lost { .. } | Self::Ended)
    }
}

impl Input<'_> {
    pub(super) const fn kind(&self) -> InputKind {
        match self {
            Self::Tick => InputKind::Tick,
            Self::Connected => InputKind::Connected,
            Self::Disconnected => InputKind::Disconnected,
            Self::Bytes(_) => InputKind::Bytes,
            Self::Report(_) => InputKind::Report,
            Self::AcknowledgeLost => InputKind::AcknowledgeLost,
            Self::Leave(_) => InputKind::Leave,
        }
    }
}

/// Tells whether `state` takes `input`.
pub(super) const fn is_legal(state: StateKind, input: InputKind) -> bool {
    use StateKind as S;
    match input {
        InputKind::Tick | InputKind::Report => !matches!(state, S::Ended),
        InputKind::Connected => matches!(state, S::Dialing | S::DialingToLeave),
        InputKind::Disconnected => !matches!(state, S::Resting | S::Lost | S::Ended),
        InputKind::Bytes => {
            matches!(state, S::Finding | S::Joining | S::Syncing | S::Stable | S::Leaving)
        }
        InputKind::AcknowledgeLost => matches!(state, S::Lost),
        InputKind::Leave => !matches!(state, S::DialingToLeave | S::Leaving | S::Ended),
    }
}
