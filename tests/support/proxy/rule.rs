//! What is done to which frames.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;
use tokio::sync::watch;

use super::frame::{Request, framed};

/// Longest wait for the reply to a request that was kept.
const KEPT_REPLY_MAX: Duration = Duration::from_secs(5);

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It and what follows it on its connection and direction wait until [`Rule::release`].
    Hold,
    /// As `Hold`, for a time.
    Delay(Duration),
    /// It is not passed on; the connection lives.
    Swallow,
    /// The request is sent twice; the client sees one reply.
    Duplicate,
    /// The request is passed on, and a copy is kept for [`Rule::send_kept`].
    Copy,
    /// The request is not passed on but kept for [`Rule::send_kept`], and the connection is cut.
    KeepAndCut,
    /// The connection is cut before the frame is passed on: a request is lost, or a reply to what was done.
    Cut,
}

/// The way of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the broker.
    Request,
    /// To the client.
    Reply,
}

type Wanted = Box<dyn Fn(&Request) -> bool + Send + Sync>;

/// Picks frames.
pub(crate) struct Match {
    direction: Direction,
    apis: Vec<ApiKey>,
    wanted: Option<Wanted>,
    skip: usize,
    every: usize,
    times: usize,
    one_connection: bool,
}

impl Match {
    /// Picks requests of these APIs; none = all.
    pub(crate) fn requests(apis: &[ApiKey]) -> Self {
        Self::of(Direction::Request, apis)
    }

    /// Picks replies to requests of these APIs; none = all.
    pub(crate) fn replies(apis: &[ApiKey]) -> Self {
        Self::of(Direction::Reply, apis)
    }

    fn of(direction: Direction, apis: &[ApiKey]) -> Self {
        let (apis, times) = (apis.to_vec(), usize::MAX);
        Self { direction, apis, wanted: None, skip: 0, every: 1, times, one_connection: false }
    }

    /// Only those whose request is wanted.
    pub(crate) fn when(self, wanted: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Some(Box::new(wanted)), ..self }
    }

    /// Lets the first `skip` go.
    pub(crate) fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// Takes one of `every`.
    pub(crate) fn every(self, every: usize) -> Self {
        Self { every, ..self }
    }

    /// Takes at most so many.
    pub(crate) fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Stays on the connection of its first hit.
    pub(crate) fn one_connection(self) -> Self {
        Self { one_connection: true, ..self }
    }
}

/// A match with its fault, at work in a proxy.
pub(crate) struct Rule {
    name: String,
    matching: Match,
    pub(super) fault: Fault,
    on: AtomicBool,
    seen: AtomicUsize,
    hits: AtomicUsize,
    connection: Mutex<Option<u64>>,
    held: watch::Sender<bool>,
    kept: Mutex<Vec<(String, Request)>>,
}

impl Rule {
    pub(super) fn new(name: &str, matching: Match, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            matching,
            fault,
            on: AtomicBool::new(true),
            seen: AtomicUsize::new(0),
            hits: AtomicUsize::new(0),
            connection: Mutex::new(None),
            held: watch::Sender::new(true),
            kept: Mutex::new(Vec::new()),
        })
    }

    /// Decides about a frame; counts it when it is hit.
    pub(super) fn hit(&self, direction: Direction, connection: u64, request: &Request) -> bool {
        let Match { apis, wanted, skip, every, times, one_connection, .. } = &self.matching;
        let fits = self.on.load(Ordering::SeqCst)
            && self.matching.direction == direction
            && (apis.is_empty() || apis.contains(&request.api))
            && wanted.as_ref().is_none_or(|wanted| wanted(request));
        if !fits {
            return false;
        }
        // Held over the counting, so that two connections do not share a number.
        let mut bound = lock(&self.connection);
        if *one_connection && bound.is_some_and(|bound| bound != connection) {
            return false;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let chosen = number >= *skip && (number - skip).is_multiple_of(*every);
        if !chosen || self.hits.load(Ordering::SeqCst) >= *times {
            return false;
        }
        *bound = Some(connection);
        self.hits.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Returns how many frames were hit.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Fails the test unless something was hit.
    pub(crate) fn must_have_hit(&self) {
        assert!(self.hits() > 0, "void: the fault `{}` hit nothing", self.name);
    }

    /// Waits until `hits` frames were hit; the test is void otherwise.
    pub(crate) fn wait_hits(&self, hits: usize, limit: Duration) {
        let begun = Instant::now();
        while self.hits() < hits {
            let (name, had) = (&self.name, self.hits());
            assert!(begun.elapsed() < limit, "void: `{name}` hit {had} of {hits} within {limit:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Hits nothing more; what is held stays so.
    pub(crate) fn off(&self) {
        self.on.store(false, Ordering::SeqCst);
    }

    /// Hits nothing more and lets go what is held.
    pub(crate) fn release(&self) {
        self.off();
        self.held.send_replace(false);
    }

    pub(super) async fn released(&self) {
        let mut held = self.held.subscribe();
        let _ = held.wait_for(|held| !held).await;
    }

    pub(super) fn keep(&self, upstream: &str, request: Request) {
        lock(&self.kept).push((upstream.to_owned(), request));
    }

    /// Sends what was kept, each request on a connection of its own, and returns the brokers' replies with
    /// their versions (`None`: no answer).
    pub(crate) fn send_kept(&self) -> Vec<Option<(Vec<u8>, i16)>> {
        let kept = std::mem::take(&mut *lock(&self.kept));
        kept.iter().map(|(upstream, request)| Some((send(upstream, request)?, request.version))).collect()
    }
}

fn send(upstream: &str, request: &Request) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).ok()?;
    stream.set_read_timeout(Some(KEPT_REPLY_MAX)).ok()?;
    stream.write_all(&framed(&request.frame)).ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut reply = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
    stream.read_exact(&mut reply).ok()?;
    Some(reply)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
