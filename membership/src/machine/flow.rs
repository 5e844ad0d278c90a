//! The machine: what each input does.

use std::{sync::Arc, time::Instant};

use crate::{
    assign::Assignor,
    backoff::Backoff,
    codec::{Frames, Malformed, Reader, Request},
    event::Why,
    machine::{
        standing::Standing,
        state::{Action, Asked, Input, Purpose, Refused, State, StateKind, is_legal},
    },
    plan::Plan,
    settings::{HostPort, Identity, Settings, SettingsError},
};

/// One member of a classic consumer group.
///
/// Calls no clock, socket, thread or randomness: time comes in with each input, the jitter's seed with the
/// settings.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) identity: Identity,
    pub(super) plan: Plan,
    pub(super) assignor: Arc<dyn Assignor>,
    pub(super) state: State,
    pub(super) standing: Standing,
    pub(super) backoff: Backoff,
    pub(super) coordinator: Option<HostPort>,
    /// Whether a JoinGroup is owed, instead of a heartbeat, once there is a connection.
    pub(super) rejoin: bool,
    /// JoinGroups sent in a row that did not lead to a generation.
    pub(super) joins_in_vain: u32,
    /// Time of the step before this one: an answer that was not there then is younger than it.
    pub(super) stepped: Instant,
    pub(super) blocked: Vec<String>,
    pub(super) frames: Frames,
    pub(super) peer: Option<HostPort>,
    pub(super) correlation: i32,
    /// Whether the engine was told to hold.
    pub(super) held: bool,
    bootstrap_next: usize,
}

impl Machine {
    /// Builds a machine that connects at its first tick.
    ///
    /// # Errors
    /// Settings or identity that do not pass their `check`.
    pub fn new(
        settings: Settings,
        identity: Identity,
        plan: Plan,
        assignor: Arc<dyn Assignor>,
        now: Instant,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        identity.check()?;
        Ok(Self {
            backoff: Backoff::new(settings.jitter_seed),
            settings,
            identity,
            plan,
            assignor,
            state: State::Resting { until: now },
            standing: Standing::new(now),
            coordinator: None,
            rejoin: true,
            joins_in_vain: 0,
            stepped: now,
            blocked: Vec::new(),
            frames: Frames::default(),
            peer: None,
            correlation: 0,
            bootstrap_next: 0,
            held: false,
        })
    }

    /// Returns the state.
    #[must_use]
    pub const fn state(&self) -> StateKind {
        self.state.kind()
    }

    /// Tells whether an answer is outstanding.
    #[must_use]
    pub const fn awaits_answer(&self) -> bool {
        self.state.asked().is_some()
    }

    /// Returns when the next tick changes something, if only time can.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let session = self.session_end();
        let own = match &self.state {
            State::Resting { until } | State::Dialing { until, .. } => Some(*until),
            State::Finding { asked } => Some(asked.until),
            State::Joining { asked } | State::Syncing { asked, .. } | State::Leaving { asked } => {
                return Some(asked.until);
            }
            State::Stable { beat, asked } => Some(asked.map_or(*beat, |asked| asked.until)),
            State::Lost { .. } | State::Ended => return None,
        };
        own.into_iter().chain(session).min()
    }

    /// Takes one input and returns what is to be done.
    ///
    /// # Errors
    /// [`Refused`] when the state does not take the input; nothing has changed then.
    pub fn step(&mut self, now: Instant, input: Input<'_>) -> Result<Vec<Action>, Refused> {
        if !is_legal(self.state.kind(), input.kind()) {
            return Err(Refused { state: self.state.kind(), input: input.kind() });
        }
        let mut out = Vec::new();
        match input {
            Input::Tick => self.tick(now, &mut out),
            Input::Connected => self.connected(now, &mut out),
            Input::Disconnected => self.disconnected(now, &mut out),
            Input::Bytes(bytes) => self.bytes(now, bytes, &mut out),
            Input::Report(report) => {
                self.standing.report(report);
                self.plan_again(now, &mut out);
            }
            Input::AcknowledgeLost => match self.state {
                State::Lost { why: Why::FencedInstance } => self.state = State::Ended,
                _ => self.state = State::Resting { until: now },
            },
            Input::Leave(how) => self.leave(now, how, &mut out),
        }
        self.stepped = self.stepped.max(now);
        Ok(out)
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        let waiting_over = |asked: Asked| now >= asked.until;
        match self.state {
            State::Lost { .. } | State::Ended => {}
            State::Leaving { asked } if waiting_over(asked) => self.end(out),
            State::Dialing { purpose: Purpose::Leave, until } if now >= until => self.end(out),
            State::Leaving { .. } | State::Dialing { purpose: Purpose::Leave, .. } => {}
            // No heartbeats are due while the coordinator gathers the others: the session clock stands still.
            State::Joining { asked } | State::Syncing { asked, .. } => {
                if waiting_over(asked) {
                    self.rest(now, out);
                    self.check_session(now, out);
                }
            }
            State::Resting { .. } | State::Dialing { .. } | State::Finding { .. } | State::Stable { .. } => {
                if !self.check_session(now, out) {
                    self.tick_alive(now, out);
                }
            }
        }
    }

    fn tick_alive(&mut self, now: Instant, out: &mut Vec<Action>) {
        match self.state {
            State::Resting { until } if now >= until => {
                let next = self.bootstrap_next % self.settings.bootstrap.len().max(1);
                self.bootstrap_next = next.wrapping_add(1);
                if let Some(server) = self.settings.bootstrap.get(next).cloned() {
                    self.dial(now, server, Purpose::Find, out);
                }
            }
            State::Dialing { until, .. } if now >= until => self.rest(now, out),
            State::Finding { asked } | State::Stable { asked: Some(asked), .. } if now >= asked.until => {
                self.rest(now, out);
            }
            State::Stable { beat, asked: None } if now >= beat => self.beat(now, out),
            // Not due yet, or not driven by time.
            _ => {}
        }
    }

    fn connected(&mut self, now: Instant, out: &mut Vec<Action>) {
        let State::Dialing { purpose, .. } = self.state else {
            return;
        };
        match purpose {
            Purpose::Find => {
                let asked = self.ask(now, self.answer_timeout(), Request::Find, out);
                self.state = State::Finding { asked };
            }
            Purpose::Coordinate if self.rejoin || self.standing.fence().is_none() => self.join(now, out),
            Purpose::Coordinate => self.beat(now, out),
            Purpose::Leave => self.send_leave(now, out),
        }
    }

    fn disconnected(&mut self, now: Instant, out: &mut Vec<Action>) {
        if matches!(self.state.kind(), StateKind::Leaving | StateKind::DialingToLeave) {
            self.state = State::Ended;
            return;
        }
        // There is nothing left to close.
        self.frames.clear();
        self.pause(now, out);
    }

    fn bytes(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<Action>) {
        self.frames.push(bytes);
        loop {
            let handled = match self.frames.next() {
                Ok(None) => return,
                Ok(Some(frame)) => self.frame(now, &frame, out),
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                self.fault(now, error, out);
            }
        }
    }

    fn frame(&mut self, now: Instant, frame: &[u8], out: &mut Vec<Action>) -> Result<(), Malformed> {
        let mut body = Reader::new(frame);
        let correlation = body.i32("answer header")?;
        match self.state.asked() {
            Some(asked) if asked.correlation == correlation => self.answer(now, asked, body, out),
            _ => Err(Malformed("answer to nothing that was asked")),
        }
    }
}
