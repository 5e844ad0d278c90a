//! The state machine on one TCP connection.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    assign::Assignor,
    event::{Event, Leave},
    machine::{Action, Input, Machine, StateKind},
    membership::{Down, Membership},
    plan::Plan,
    report::Report,
    settings::{HostPort, Identity, Settings, SettingsError},
};

/// Longest wait for an answer within one beat, so that the caller's report is looked at in between.
const POLL: Duration = Duration::from_millis(20);
/// Longest wait for room in the socket's buffer; only a leader's SyncGroup is larger than that buffer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often to look in while only the engine can go on.
const IDLE: Duration = Duration::from_millis(100);
/// Longest time that leaving takes beyond its own time limits.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(8);
const READ_BYTES: usize = 16 << 10;

/// A member of a classic consumer group over one plaintext TCP connection.
///
/// Owned and driven by one thread; dropping it closes the connection without leaving, as a crash would.
#[derive(Debug)]
pub struct ClassicMember {
    machine: Machine,
    stream: Option<TcpStream>,
    events: Vec<Event>,
    due: Instant,
    /// Longest connection attempt; shorter than what the machine allows once the process is ending.
    connect_max: Duration,
}

impl ClassicMember {
    /// Builds a member; the first beat connects.
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
        let machine = Machine::new(settings, identity, plan, assignor, now)?;
        Ok(Self { machine, stream: None, events: Vec::new(), due: now, connect_max: Duration::MAX })
    }

    /// Feeds one input and does what follows from it, connections included.
    fn feed(&mut self, clock: Clock, input: Input<'_>) -> Result<(), Down> {
        let mut todo: VecDeque<Action> = self.machine.step(clock.now(), input)?.into();
        while let Some(action) = todo.pop_front() {
            let failed = match action {
                Action::Tell(event) => {
                    self.events.push(event);
                    continue;
                }
                Action::Close => {
                    self.stream = None;
                    continue;
                }
                Action::Connect { to, timeout } => match connect(&to, timeout.min(self.connect_max)) {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        todo.extend(self.machine.step(clock.now(), Input::Connected)?);
                        continue;
                    }
                    Err(_) => true,
                },
                Action::Send(bytes) => {
                    self.stream.as_mut().is_none_or(|stream| stream.write_all(&bytes).is_err())
                }
            };
            if failed {
                // What was to follow belonged to the connection that is gone; events are kept.
                self.stream = None;
                let next = self.machine.step(clock.now(), Input::Disconnected)?;
                todo.retain(|action| matches!(action, Action::Tell(_)));
                todo.extend(next);
            }
        }
        Ok(())
    }

    /// Takes the bytes that are there or come within `wait`; returns whether there were any.
    fn read(&mut self, clock: Clock, wait: Duration) -> Result<bool, Down> {
        let Some(stream) = self.stream.as_mut() else {
            return Ok(false);
        };
        let mut buffer = [0; READ_BYTES];
        let wait = wait.max(Duration::from_millis(1));
        let got = match stream.set_read_timeout(Some(wait)).and_then(|()| stream.read(&mut buffer)) {
            Ok(0) => None,
            Ok(length) => buffer.get(..length),
            Err(error) if is_silence(&error) => return Ok(false),
            Err(_) => None,
        };
        match got {
            Some(bytes) => self.feed(clock, Input::Bytes(bytes))?,
            None => {
                self.stream = None;
                self.feed(clock, Input::Disconnected)?;
            }
        }
        Ok(true)
    }

    fn turn(&mut self, clock: Clock, report: &Report) -> Result<(), Down> {
        // First what has come in while the caller was away: the session clock must not be judged without it.
        if self.machine.awaits_answer() {
            while self.read(clock, Duration::ZERO)? && self.machine.awaits_answer() {}
        }
        self.feed(clock, Input::Report(report))?;
        self.feed(clock, Input::Tick)?;
        while self.machine.awaits_answer() && self.events.is_empty() {
            let Some(left) = POLL.checked_sub(clock.elapsed()).filter(|left| !left.is_zero()) else {
                break;
            };
            self.read(clock, left)?;
        }
        Ok(())
    }

    fn next_due(&self, now: Instant) -> Instant {
        if self.machine.awaits_answer() {
            return now;
        }
        self.machine.due().unwrap_or(now + IDLE)
    }
}

impl Membership for ClassicMember {
    fn beat(&mut self, now: Instant, report: &Report) -> Result<Vec<Event>, Down> {
        if self.machine.state() == StateKind::Ended {
            return Err(Down::Ended);
        }
        let clock = Clock::start(now);
        self.turn(clock, report)?;
        self.due = self.next_due(clock.now());
        Ok(std::mem::take(&mut self.events))
    }

    fn due(&self) -> Instant {
        self.due
    }

    fn confirmed(&self) -> Option<(Instant, Duration)> {
        self.machine.confirmed()
    }

    fn acknowledge_lost(&mut self, now: Instant) -> Result<(), Down> {
        self.feed(Clock::start(now), Input::AcknowledgeLost)?;
        self.due = now;
        Ok(())
    }

    fn leave(&mut self, now: Instant, how: Leave, within: Duration) {
        let clock = Clock::start(now);
        let within = within.min(LEAVE_TIMEOUT);
        self.connect_max = within;
        // A second leave is refused and changes nothing; so is anything after the end.
        let mut going = self.feed(clock, Input::Leave(how)).is_ok();
        while going && self.machine.state() != StateKind::Ended && clock.elapsed() < within {
            going = self.read(clock, POLL).is_ok()
                && (self.machine.state() == StateKind::Ended || self.feed(clock, Input::Tick).is_ok());
        }
        self.stream = None;
    }
}

/// The caller's time, moved on by what passes during a call.
#[derive(Clone, Copy, Debug)]
struct Clock {
    given: Instant,
    started: Instant,
}

impl Clock {
    fn start(now: Instant) -> Self {
        Self { given: now, started: Instant::now() }
    }

    fn elapsed(self) -> Duration {
        self.started.elapsed()
    }

    fn now(self) -> Instant {
        self.given + self.elapsed()
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Connects to the first address of `to` that answers within `timeout`, all addresses together.
fn connect(to: &HostPort, timeout: Duration) -> io::Result<TcpStream> {
    let started = Instant::now();
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (to.host.as_str(), to.port).to_socket_addrs()? {
        let Some(left) = timeout.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else {
            break;
        };
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
