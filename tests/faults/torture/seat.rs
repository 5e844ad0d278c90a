//! A place for a process: its name, its proxy, and the process while there is one.

use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::support::{Node, World};

use super::fault::Kind;
use super::log;
use super::tally::Tally;

/// Longest time of a stop: `shutdown.timeout` of a round and a margin for a busy machine.
const STOP_MAX: Duration = Duration::from_secs(15);

/// A place for a process of a round.
pub(super) struct Seat {
    pub(super) name: String,
    pub(super) proxy: Proxy,
    pub(super) node: Option<Node>,
    /// Whether a process is to run here.
    pub(super) wanted: bool,
    /// Before this, none is started.
    start_at: Instant,
    /// The next process has this in its environment.
    pub(super) failpoints: Option<String>,
    /// A failpoint was given to the running process.
    armed: bool,
    paused_until: Option<Instant>,
    silent_until: Option<Instant>,
}

impl Seat {
    pub(super) fn new(number: usize, brokers: &str) -> Self {
        Self {
            name: format!("p{number}"),
            proxy: Proxy::start(brokers),
            node: None,
            wanted: false,
            start_at: Instant::now(),
            failpoints: None,
            armed: false,
            paused_until: None,
            silent_until: None,
        }
    }

    /// Says whether a process runs here and is not paused.
    pub(super) fn is_active(&self) -> bool {
        self.node.is_some() && self.paused_until.is_none()
    }

    /// Ends the process as a crash would; another one is started after `pause`.
    pub(super) fn kill(&mut self, pause: Duration) {
        // SIGKILL ends a stopped process as well.
        self.node = None;
        self.paused_until = None;
        self.start_at = Instant::now() + pause;
    }

    /// Stops the process in good order; without an answer of the broker it may end itself after its `shutdown.timeout`.
    ///
    /// # Panics
    /// It takes longer, or ends in another way.
    pub(super) fn stop(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        assert!(
            node.ask_to_stop(STOP_MAX),
            "{} did not stop within {STOP_MAX:?}:\n{}",
            self.name,
            node.log()
        );
        let (status, log) = (node.wait_end(Duration::ZERO), node.log());
        let is_late = log.contains("the stop took longer than shutdown.timeout");
        // A signal that comes before the process listens for it ends it at once.
        let is_early = status.code().is_none() && !log.contains("http listening");
        assert!(status.success() || is_late || is_early || self.armed, "{}: {status}:\n{log}", self.name);
        self.start_at = Instant::now();
    }

    /// Stops the process where it is.
    pub(super) fn pause(&mut self, time: Duration) {
        if let Some(node) = &self.node {
            node.pause();
            self.paused_until = Some(Instant::now() + time);
        }
    }

    /// Passes nothing on, either way.
    pub(super) fn silence(&mut self, time: Duration) {
        self.proxy.freeze();
        self.silent_until = Some(Instant::now() + time);
    }

    /// Undoes what is over, notes a process that ended, and starts one where one is wanted.
    ///
    /// # Panics
    /// A process ended for a reason that no fault here can cause.
    pub(super) fn turn(&mut self, world: &World, tally: &mut Tally) {
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            self.node.iter().for_each(Node::resume);
        }
        if self.silent_until.is_some_and(|until| now >= until) {
            self.silent_until = None;
            self.proxy.thaw();
        }
        if let Some(node) = &mut self.node
            && !node.is_alive()
        {
            let why = log::end(&node.log(), self.armed);
            if why == log::CRASH_POINT {
                tally.hit(Kind::CrashPoint, 1);
            }
            tally.ended(why);
            self.node = None;
            self.start_at = now + Duration::from_millis(200);
        }
        if self.node.is_none() && self.wanted && now >= self.start_at {
            self.start(world);
        }
    }

    fn start(&mut self, world: &World) {
        let brokers = self.proxy.brokers();
        let failpoints = self.failpoints.take();
        let mut extra = vec![("MILLPOND_KAFKA__BROKERS", brokers.as_str())];
        if let Some(failpoints) = &failpoints {
            extra.push(("FAILPOINTS", failpoints));
        }
        self.armed = failpoints.is_some();
        self.node = Some(Node::spawn(world, &self.name, &extra));
    }

    /// Undoes all faults here.
    pub(super) fn heal(&mut self) {
        if self.paused_until.take().is_some() {
            self.node.iter().for_each(Node::resume);
        }
        self.silent_until = None;
        self.proxy.thaw();
        self.failpoints = None;
        if self.armed {
            // A crash point that was not reached yet would be reached while draining.
            self.kill(Duration::ZERO);
            self.armed = false;
        }
    }
}
