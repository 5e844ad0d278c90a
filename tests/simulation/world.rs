//! Everything of one schedule: time, chance, broker, database, processes, and what was noticed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use crate::audit::Audit;
use crate::broker::Broker;
use crate::executor::{Executor, Micros, Sleep};
use crate::fleet::Fleet;
use crate::operator::Moved;
use crate::random::Random;
use crate::report::{Fault, Tally};
use crate::scenario::Scenario;
use crate::sql::Database;

/// One schedule.
pub(crate) struct World {
    pub(crate) executor: Executor,
    /// The moment that simulated time counts from, for what takes an `Instant`; only differences matter.
    pub(crate) start: Instant,
    pub(crate) scenario: Scenario,
    pub(crate) random: RefCell<Random>,
    pub(crate) broker: RefCell<Broker>,
    pub(crate) database: RefCell<Database>,
    pub(crate) fleet: RefCell<Fleet>,
    pub(crate) audit: RefCell<Audit>,
    pub(crate) moved: Moved,
    pub(crate) tally: RefCell<Tally>,
    lines: Option<RefCell<Vec<String>>>,
    failed: RefCell<Option<String>>,
    calm: Cell<bool>,
}

/// Writes a line of the trace, if there is one.
macro_rules! note {
    ($world:expr, $($what:tt)*) => {
        if $world.is_traced() {
            $world.line(format!($($what)*));
        }
    };
}
pub(crate) use note;

impl World {
    pub(crate) fn new(scenario: Scenario, traced: bool) -> Rc<Self> {
        let random = Random::new(scenario.seed);
        Rc::new(Self {
            executor: Executor::default(),
            start: Instant::now(),
            broker: RefCell::new(Broker::new(&scenario)),
            database: RefCell::new(Database::new(scenario.partitions)),
            fleet: RefCell::default(),
            audit: RefCell::new(Audit::new(&scenario)),
            scenario,
            random: RefCell::new(random),
            moved: Moved::default(),
            tally: RefCell::default(),
            lines: traced.then(RefCell::default),
            failed: RefCell::default(),
            calm: Cell::new(false),
        })
    }

    pub(crate) fn now(&self) -> Micros {
        self.executor.now()
    }

    /// Returns the wall clock, ms since the epoch.
    pub(crate) fn wall_ms(&self) -> i64 {
        1_700_000_000_000 + i64::try_from(self.now() / 1000).unwrap()
    }

    pub(crate) fn sleep(&self, time: Micros) -> Sleep<'_> {
        Sleep { world: self, until: self.now() + time, armed: false }
    }

    pub(crate) fn chance(&self, parts: u64) -> bool {
        self.random.borrow_mut().chance(parts)
    }

    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        self.random.borrow_mut().between(low, high)
    }

    /// Is true `parts` times of a million while faults are allowed, and counts it.
    pub(crate) fn fault(&self, fault: Fault, parts: u64) -> bool {
        let hit = parts > 0 && !self.calm.get() && self.chance(parts);
        if hit {
            self.count(fault);
        }
        hit
    }

    pub(crate) fn count(&self, fault: Fault) {
        self.tally.borrow_mut().fault(fault);
    }

    /// Ends all faults.
    pub(crate) fn calm(&self) {
        note!(self, "-- no more faults");
        self.calm.set(true);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.get()
    }

    /// Notes that an invariant is broken; the first stays.
    pub(crate) fn fail(&self, why: String) {
        note!(self, "VIOLATION {why}");
        self.failed.borrow_mut().get_or_insert(why);
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn line(&self, text: String) {
        if let Some(lines) = &self.lines {
            let now = self.now();
            lines.borrow_mut().push(format!("{:>4}.{:06} {text}", now / 1_000_000, now % 1_000_000));
        }
    }

    pub(crate) fn take_lines(&self) -> Vec<String> {
        self.lines.as_ref().map(RefCell::take).unwrap_or_default()
    }
}
