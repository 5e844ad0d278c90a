//! What a stream thread does with its time and its records.

use std::time::Duration;

use prometheus::local::LocalHistogram;
use prometheus::{Counter, CounterVec, Error, Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::buckets;
use super::family::Families;

/// What a thread spends time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Processing records.
    Busy,
    /// Waiting for records.
    Idle,
    /// Waiting for something else: a full queue, a broker, the assignment.
    Blocked,
    /// Committing, from the decision to the rows in the store.
    Committing,
}

impl Spent {
    const ALL: [Self; 4] = [Self::Busy, Self::Idle, Self::Blocked, Self::Committing];

    /// Returns the value of the label `state`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Idle => "idle",
            Self::Blocked => "blocked",
            Self::Committing => "committing",
        }
    }
}

/// Why a record was read and left without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It lies below the applied offset: its effect is there already.
    Applied,
    /// Its kind is one that the application ignores.
    Ignored,
}

impl Dropped {
    const ALL: [Self; 2] = [Self::Applied, Self::Ignored];

    /// Returns the value of the label `reason`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Ignored => "ignored",
        }
    }
}

/// The families that threads add to.
pub(super) struct ThreadFamilies {
    spent: CounterVec,
    dropped: IntCounterVec,
    duplicates: IntCounter,
    e2e: HistogramVec,
    process: Histogram,
    batch: Histogram,
}

impl ThreadFamilies {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let made = Self {
            spent: families.float_counters(
                "thread_seconds_total",
                "Seconds that stream threads spent, by what on.",
                &["thread", "state"],
            )?,
            dropped: families.counters(
                "records_dropped_total",
                "Records read and left without effect, dead letters not included.",
                &["reason"],
            )?,
            duplicates: families
                .counter("duplicates_total", "Orders and commands seen before, without effect.")?,
            e2e: families.histograms(
                "record_e2e_latency_seconds",
                "Seconds from a record's timestamp until it is processed, committed, in the database.",
                &buckets::E2E_SECONDS,
                "stage",
            )?,
            process: families.histogram(
                "process_duration_seconds",
                "Seconds that the processors took for one batch.",
                &buckets::BATCH_SECONDS,
            )?,
            batch: families.histogram("batch_records", "Records per batch.", &buckets::BATCH_RECORDS)?,
        };
        for reason in Dropped::ALL {
            made.dropped.with_label_values(&[reason.label()]);
        }
        for stage in ["process", "commit", "sink"] {
            made.e2e.with_label_values(&[stage]);
        }
        Ok(made)
    }

    pub(super) fn e2e(&self, stage: &str) -> Histogram {
        self.e2e.with_label_values(&[stage])
    }

    pub(super) fn thread(&self, index: usize) -> ThreadMetrics {
        let name = index.to_string();
        ThreadMetrics {
            spent: Spent::ALL.map(|state| self.spent.with_label_values(&[name.as_str(), state.label()])),
            dropped: Dropped::ALL.map(|reason| self.dropped.with_label_values(&[reason.label()])),
            duplicates: self.duplicates.clone(),
            process_latency: self.e2e("process").local(),
            commit_latency: self.e2e("commit").local(),
            process: self.process.clone(),
            batch: self.batch.clone(),
        }
    }
}

/// The series of one stream thread, owned by it: what is observed per record is collected here without an
/// atomic and
/// published by [`ThreadMetrics::publish`].
pub struct ThreadMetrics {
    spent: [Counter; 4],
    dropped: [IntCounter; 2],
    duplicates: IntCounter,
    process_latency: LocalHistogram,
    commit_latency: LocalHistogram,
    process: Histogram,
    batch: Histogram,
}

impl ThreadMetrics {
    /// Adds time spent.
    pub fn spend(&self, state: Spent, time: Duration) {
        let [busy, idle, blocked, committing] = &self.spent;
        let counter = match state {
            Spent::Busy => busy,
            Spent::Idle => idle,
            Spent::Blocked => blocked,
            Spent::Committing => committing,
        };
        counter.inc_by(time.as_secs_f64());
    }

    /// Counts records left without effect. Called at Applied, once per transaction.
    pub fn dropped(&self, reason: Dropped, records: u64) {
        let [applied, ignored] = &self.dropped;
        match reason {
            Dropped::Applied => applied.inc_by(records),
            Dropped::Ignored => ignored.inc_by(records),
        }
    }

    /// Counts orders and commands that were seen before. Called at Applied, once per transaction.
    pub fn duplicates(&self, records: u64) {
        self.duplicates.inc_by(records);
    }

    /// Notes a batch: its records and the time that the processors took.
    pub fn batch(&self, records: usize, time: Duration) {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        self.batch.observe(f64::from(records));
        self.process.observe(time.as_secs_f64());
    }

    /// Notes that a record with this timestamp is processed; both in milliseconds since the epoch.
    pub fn processed(&self, now_ms: i64, timestamp_ms: i64) {
        self.process_latency.observe(seconds_between(now_ms, timestamp_ms));
    }

    /// Notes that a record with this timestamp is committed; both in milliseconds since the epoch.
    pub fn committed(&self, now_ms: i64, timestamp_ms: i64) {
        self.commit_latency.observe(seconds_between(now_ms, timestamp_ms));
    }

    /// Publishes what was collected per record. Called once per transaction.
    pub fn publish(&self) {
        self.process_latency.flush();
        self.commit_latency.flush();
    }
}

/// Returns the seconds from `timestamp_ms` to `now_ms`; a clock behind counts as 0.
#[expect(clippy::cast_precision_loss, reason = "a latency beyond 2^53 ms is past every bucket anyway")]
fn seconds_between(now_ms: i64, timestamp_ms: i64) -> f64 {
    now_ms.saturating_sub(timestamp_ms).max(0) as f64 / 1_000.0
}
