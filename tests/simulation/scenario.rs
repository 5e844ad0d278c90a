//! What a schedule is like: drawn from its seed, so that each schedule has some kinds of faults and not others.

use crate::damage::Damage;
use crate::executor::{MS, Micros, SECOND};
use crate::random::Random;

/// Kinds of schedules, each drawn from a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All faults, some of them in each schedule.
    Plain,
    /// Nothing crashes; threads stand still and tasks move.
    Restless,
    /// An operator moves committed offsets.
    Operated,
}

impl Kind {
    const ALL: [(&str, Self); 3] =
        [("plain", Self::Plain), ("restless", Self::Restless), ("operated", Self::Operated)];

    /// Returns the kind with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    pub(crate) fn scenario(self, seed: u64) -> Scenario {
        match self {
            Self::Plain => Scenario::of(seed),
            Self::Restless => Scenario::restless(seed),
            Self::Operated => Scenario::operated(seed),
        }
    }
}

/// Parameters of one schedule. Rates are parts of a million.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) partitions: u32,
    pub(crate) processes: usize,
    pub(crate) threads: usize,
    /// Which processes have a static instance id.
    pub(crate) statics: Vec<bool>,
    pub(crate) session: Micros,
    pub(crate) heartbeat: Micros,
    pub(crate) transaction_timeout: Micros,
    pub(crate) commit_interval: Micros,
    pub(crate) is_eager: bool,
    pub(crate) punctuation: Micros,
    pub(crate) flush_interval: Micros,
    pub(crate) records: u64,
    /// When faults end.
    pub(crate) calm_at: Micros,
    /// Longest time that a marker takes to reach a partition.
    pub(crate) marker_max: Micros,
    pub(crate) lost: u64,
    pub(crate) held: u64,
    pub(crate) reply_lost: u64,
    pub(crate) slow: u64,
    /// How much more often the end of a transaction is hit.
    pub(crate) end_factor: u64,
    pub(crate) held_max: Micros,
    /// At every step of a process.
    pub(crate) step_crash: u64,
    /// Mean time between two faults of each kind; 0 = none.
    pub(crate) crash_every: Micros,
    pub(crate) pause_every: Micros,
    pub(crate) stall_every: Micros,
    pub(crate) bounce_every: Micros,
    pub(crate) leave_every: Micros,
    pub(crate) pause_max: Micros,
    pub(crate) redelivered: u64,
    /// A call of `send_offsets` that never returns.
    pub(crate) hang: u64,
    pub(crate) sql_cut: u64,
    pub(crate) sink_swap_every: Micros,
    /// How far the wall clock of a process may be off, ms.
    pub(crate) skew_ms: u64,
    /// Time between a step of the commit machine and what follows from it.
    pub(crate) step_time: Micros,
    /// Memory for values that a task holds.
    pub(crate) held_bytes: usize,
    /// Whether every thread of a process can stall, not the stream threads alone, and watching is a thread of its own.
    pub(crate) stalls_any: bool,
    /// How long a restore that is held up waits before it fences dead owners.
    pub(crate) pinned_max: Micros,
    /// How much of the input becomes dead letters: of the bank, and of the broker.
    pub(crate) bad: u64,
    pub(crate) refused: u64,
    /// Time between two compactions of the changelogs; 0 = never.
    pub(crate) compact_every: Micros,
    /// One process more, with a directory of its own and the instance id of the first, until the faults end.
    pub(crate) has_twin: bool,
    /// When everything is stopped and an operator moves committed offsets; 0 = never.
    pub(crate) operator_at: Micros,
    /// What is wrong with every transaction, to see that the audit sees it.
    pub(crate) damage: Option<Damage>,
}

impl Scenario {
    /// Returns a schedule of `seed` in which nothing fails: processes come and go in good order, and often.
    pub(crate) fn orderly(seed: u64, commit_interval: Micros) -> Self {
        Self {
            processes: 3,
            heartbeat: 100 * MS,
            commit_interval,
            is_eager: false,
            punctuation: 10 * MS,
            records: 20,
            marker_max: 3 * MS,
            lost: 0,
            held: 0,
            reply_lost: 0,
            slow: 0,
            hang: 0,
            step_crash: 0,
            crash_every: 0,
            pause_every: 0,
            stall_every: 0,
            bounce_every: 0,
            leave_every: 1500 * MS,
            redelivered: 0,
            skew_ms: 0,
            has_twin: false,
            bad: 0,
            refused: 0,
            ..Self::of(seed)
        }
    }

    /// Returns an orderly schedule in which an operator moves committed offsets while everything is stopped.
    fn operated(seed: u64) -> Self {
        Self { leave_every: 0, operator_at: 3 * SECOND, ..Self::orderly(seed, 100 * MS) }
    }

    /// Returns a schedule in which nothing crashes and much stands still: processes and single threads stall for longer than
    /// the session, tasks move all the time, requests are slow.
    fn restless(seed: u64) -> Self {
        let of = Self::of(seed);
        Self {
            processes: of.processes.max(2),
            session: 2 * SECOND,
            heartbeat: 400 * MS,
            transaction_timeout: 10 * SECOND,
            commit_interval: if seed.is_multiple_of(2) { 20 * MS } else { 400 * MS },
            marker_max: 3 * MS,
            slow: 60_000,
            held_max: 2 * SECOND,
            step_crash: 0,
            crash_every: 0,
            bounce_every: 0,
            stall_every: SECOND,
            leave_every: 2 * SECOND,
            pause_max: 8 * SECOND,
            stalls_any: true,
            pinned_max: if seed.is_multiple_of(3) { 50 * MS } else { 2 * SECOND },
            bad: 0,
            refused: 0,
            has_twin: false,
            ..of
        }
    }

    /// Returns the number in the ids of process `number`: its own, or the first one's for the twin.
    pub(crate) fn identity(&self, number: usize) -> usize {
        if number < self.processes { number } else { 0 }
    }

    fn of(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed);
        let r = &mut random;
        // What came later draws from a source of its own, so that the seeds of known defects stay what they are.
        let mut more = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0xff3);
        let processes = usize::try_from(r.pick(&[1, 2, 2, 2, 3, 3, 4])).unwrap();
        let (session, heartbeat) = r.pick(&[(6 * SECOND, 500 * MS), (2 * SECOND, 400 * MS)]);
        let rate = |r: &mut Random| r.pick(&[0, 0, 2_000, 10_000, 40_000]);
        let every = |r: &mut Random| r.pick(&[0, 0, 3 * SECOND, 6 * SECOND]);
        Self {
            seed,
            partitions: r.pick(&[1, 2, 2, 3]),
            processes,
            threads: r.pick(&[1, 1, 2]),
            statics: (0..8).map(|_| r.chance(500_000)).collect(),
            session,
            heartbeat,
            transaction_timeout: r.pick(&[10 * SECOND, 4 * SECOND]),
            commit_interval: r.pick(&[20 * MS, 100 * MS, 400 * MS]),
            is_eager: r.chance(300_000),
            punctuation: r.pick(&[400 * MS, 1500 * MS]),
            flush_interval: r.pick(&[300 * MS, 3 * SECOND, 60 * SECOND]),
            records: r.between(10, 50),
            calm_at: r.between(6, 16) * SECOND,
            marker_max: r.pick(&[3 * MS, 3 * MS, 30 * MS, 800 * MS]),
            lost: rate(r),
            held: rate(r),
            reply_lost: rate(r),
            slow: rate(r),
            end_factor: r.pick(&[1, 1, 5, 20]),
            held_max: r.pick(&[300 * MS, 2 * SECOND, 15 * SECOND]),
            step_crash: r.pick(&[0, 0, 300, 2_000]),
            crash_every: every(r),
            pause_every: every(r),
            stall_every: every(r),
            bounce_every: r.pick(&[0, 0, 0, 5 * SECOND]),
            leave_every: every(r),
            pause_max: r.pick(&[SECOND, 8 * SECOND, 14 * SECOND]),
            redelivered: r.pick(&[0, 0, 20_000]),
            hang: r.pick(&[0, 0, 0, 10_000]),
            sql_cut: rate(r) * 3,
            sink_swap_every: r.pick(&[0, 800 * MS, 4 * SECOND]),
            skew_ms: r.pick(&[0, 0, 2000]),
            step_time: r.pick(&[0, 30, 2 * MS]),
            held_bytes: if r.chance(500_000) { 1 << 16 } else { 0 },
            bad: more.pick(&[0, 0, 100_000]),
            refused: more.pick(&[0, 0, 0, 60_000]),
            compact_every: more.pick(&[0, 300 * MS, 2 * SECOND]),
            has_twin: more.chance(60_000),
            stalls_any: more.chance(500_000),
            pinned_max: 50 * MS,
            operator_at: 0,
            damage: None,
        }
    }
}
