//! What the threads of an instance share, all of it off the hot path.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use millpond_mutants::{Mutant, is};
use millpond_topology::{Now, TaskId};

use super::board::Board;
use crate::engine::{Ownership, Snapshot};
use crate::kafka::Abandoned;

/// What each step of a stop has at least, however late it is: enough when the other side is well.
pub(crate) const STOP_MIN: Duration = Duration::from_millis(500);
/// How long `send_offsets` waits while a JoinGroup is out.
const HOLD_MAX: Duration = Duration::from_millis(300);
/// Producers whose calls hang, at most: the next one ends the process.
pub(super) const STUCK_MAX: usize = 4;

/// Reads both clocks; the only place of the runtime that does.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    skew: Skew,
}

/// How wrong a test makes the wall clock: `first_ms` at the start, `then_ms` from a moment of the run on.
#[derive(Debug, Clone, Copy, Default)]
struct Skew {
    first_ms: i64,
    from: Duration,
    then_ms: i64,
}

impl Skew {
    /// Reads the failpoint `clock::wall=return(first ms, ms of the run, then ms)`; none without one.
    fn of_test() -> Self {
        fail::fail_point!("clock::wall", |text| {
            let text = text.unwrap_or_default();
            let mut numbers = text.split(',').filter_map(|number| number.trim().parse::<i64>().ok());
            let mut next = || numbers.next().unwrap_or_default();
            let (first_ms, from_ms, then_ms) = (next(), next(), next());
            let from = Duration::from_millis(u64::try_from(from_ms).unwrap_or_default());
            tracing::warn!(first_ms, ?from, then_ms, "this process has a wrong clock on purpose");
            Self { first_ms, from, then_ms }
        });
        Self::default()
    }

    fn ms(self, elapsed: Duration) -> i64 {
        if elapsed < self.from { self.first_ms } else { self.then_ms }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { start: Instant::now(), skew: Skew::of_test() }
    }
}

impl Clock {
    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let wall_ms = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX);
        let elapsed = self.start.elapsed();
        Now::new(elapsed, wall_ms.saturating_add(self.skew.ms(elapsed)))
    }
}

/// Shared state of an instance.
pub struct Shared {
    /// The clock.
    pub clock: Clock,
    ownership: Mutex<Ownership>,
    hold: Mutex<Option<Instant>>,
    losses: AtomicU64,
    /// When the coordinator last confirmed this member, and how long that holds: its session.
    confirmed: Mutex<Option<(Instant, Duration)>>,
    /// When a stop was asked for.
    stopping: OnceLock<Instant>,
    fatal: Mutex<Option<String>>,
    stamps: Mutex<BTreeMap<String, Instant>>,
    /// Transactional ids of the instances of the current generation.
    live_ids: Mutex<Vec<String>>,
    /// Producers whose calls hang.
    pub abandoned: Abandoned,
    board: Mutex<Board>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock means a thread panicked, which ends the process; the data itself is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Returns the shared state of a process with 64 random bits.
    #[must_use]
    pub fn new(process: u64) -> Self {
        Self {
            clock: Clock::default(),
            ownership: Mutex::new(Ownership::new(process)),
            hold: Mutex::new(None),
            losses: AtomicU64::new(0),
            confirmed: Mutex::default(),
            stopping: OnceLock::new(),
            fatal: Mutex::new(None),
            stamps: Mutex::new(BTreeMap::new()),
            live_ids: Mutex::default(),
            abandoned: Arc::default(),
            board: Mutex::new(Board::default()),
        }
    }

    /// Returns the ownership, locked.
    pub fn ownership(&self) -> MutexGuard<'_, Ownership> {
        lock(&self.ownership)
    }

    /// Returns the board, locked.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        lock(&self.board)
    }

    /// Returns one snapshot of fence and owned tasks, once no JoinGroup is out or after a bounded wait.
    pub fn snapshot(&self) -> Snapshot {
        loop {
            match *lock(&self.hold) {
                Some(since) if since.elapsed() < HOLD_MAX && !is(Mutant::NoGate) => {}
                _ => break,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.ownership().snapshot().clone()
    }

    /// Notes the transactional ids of the instances of the current generation, which nobody may fence.
    pub fn set_live_ids(&self, ids: Vec<String>) {
        *lock(&self.live_ids) = ids;
    }

    /// Returns the transactional ids of the instances of the current generation.
    pub fn live_ids(&self) -> Vec<String> {
        lock(&self.live_ids).clone()
    }

    /// Notes whether a JoinGroup is out.
    pub fn set_hold(&self, held: Option<Instant>) {
        *lock(&self.hold) = held;
    }

    /// Notes that the coordinator counted this member's session from `at`, at the latest.
    pub fn confirm(&self, at: Instant, session: Duration) {
        *lock(&self.confirmed) = Some((at, session));
    }

    /// Says whether the coordinator knows this member still: its session is not over, and was begun after `since`.
    pub fn is_member_since(&self, since: Option<Instant>) -> bool {
        lock(&self.confirmed)
            .is_some_and(|(at, session)| at.elapsed() < session && since.is_none_or(|since| at > since))
    }

    /// Counts the losses of membership so far.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// Notes a loss of membership.
    pub fn lose(&self) {
        self.ownership().lose();
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    /// Asks for a clean stop.
    pub fn stop(&self) {
        self.stopping.get_or_init(Instant::now);
    }

    /// Says whether a clean stop was asked for.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get().is_some()
    }

    /// Returns how long ago the first stop was asked for; zero when none was.
    pub fn stopping_for(&self) -> Duration {
        self.stopping.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// Notes why the process must end; the first reason stays.
    pub fn fail(&self, why: String) {
        tracing::error!("{why}");
        lock(&self.fatal).get_or_insert(why);
        self.stop();
    }

    /// Returns why the process must end, if it must.
    pub fn fatal(&self) -> Option<String> {
        lock(&self.fatal).clone()
    }

    /// Notes that a thread makes progress.
    pub fn stamp(&self, thread: &str) {
        let mut stamps = lock(&self.stamps);
        match stamps.get_mut(thread) {
            Some(stamp) => *stamp = Instant::now(),
            None => {
                stamps.insert(thread.to_owned(), Instant::now());
            }
        }
    }

    /// Notes that a thread has ended.
    pub fn unstamp(&self, thread: &str) {
        lock(&self.stamps).remove(thread);
    }

    /// Returns a thread without progress for `limit`, if there is one.
    pub fn wedged(&self, limit: Duration) -> Option<String> {
        let stamps = lock(&self.stamps);
        stamps.iter().find(|(_, stamp)| stamp.elapsed() > limit).map(|(thread, _)| thread.clone())
    }

    /// Returns how many producers hang in calls that do not return.
    pub fn stuck(&self) -> usize {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// Says whether `task` is still wanted with that acquisition number.
    pub fn owns(&self, task: TaskId, incarnation: crate::engine::Incarnation) -> bool {
        self.ownership().snapshot().owns(task, incarnation)
    }
}
