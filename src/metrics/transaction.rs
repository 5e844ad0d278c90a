//! How transactions end, how long a commit takes, and how often a producer is replaced.

use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter, IntCounterVec};

use super::buckets;
use super::family::Families;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// It is committed, at once or as found when resolving.
    Committed,
    /// It was aborted and its input is redone or dropped.
    Aborted,
    /// Its commit had no answer; counted once more as what it turned out to be.
    Unknown,
    /// Another producer or owner took over.
    Fenced,
}

/// Why a producer was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecycleReason {
    /// A transaction call took so long that a late copy of it may still arrive.
    Slow,
    /// A transaction call failed.
    Error,
    /// A commit had no answer, and the new producer resolves it.
    Unknown,
    /// Another producer has the transactional id.
    Fenced,
    /// A call did not come back and was abandoned with its producer.
    Stuck,
}

const OUTCOMES: [&str; 4] = ["committed", "aborted", "unknown", "fenced"];
const REASONS: [&str; 5] = ["slow", "error", "unknown", "fenced", "stuck"];

/// The series of transactions; cheap to clone, one for each thread.
#[derive(Clone)]
pub struct TransactionMetrics {
    outcomes: [IntCounter; 4],
    recycles: [IntCounter; 5],
    commit: Histogram,
}

impl TransactionMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let outcomes: IntCounterVec =
            families.counters("transactions_total", "Transactions, by how they ended.", &["outcome"])?;
        let recycles =
            families.counters("producer_recycles_total", "Producers replaced, by why.", &["reason"])?;
        Ok(Self {
            outcomes: OUTCOMES.map(|outcome| outcomes.with_label_values(&[outcome])),
            recycles: REASONS.map(|reason| recycles.with_label_values(&[reason])),
            commit: families.histogram(
                "transaction_commit_duration_seconds",
                "Seconds from the decision to commit until the broker's answer.",
                &buckets::COMMIT_SECONDS,
            )?,
        })
    }

    /// Counts a transaction.
    pub fn ended(&self, outcome: TransactionOutcome) {
        let [committed, aborted, unknown, fenced] = &self.outcomes;
        match outcome {
            TransactionOutcome::Committed => committed.inc(),
            TransactionOutcome::Aborted => aborted.inc(),
            TransactionOutcome::Unknown => unknown.inc(),
            TransactionOutcome::Fenced => fenced.inc(),
        }
    }

    /// Notes how long a commit took.
    pub fn commit_took(&self, time: Duration) {
        self.commit.observe(time.as_secs_f64());
    }

    /// Counts a producer that was replaced.
    pub fn recycled(&self, reason: RecycleReason) {
        let [slow, error, unknown, fenced, stuck] = &self.recycles;
        match reason {
            RecycleReason::Slow => slow.inc(),
            RecycleReason::Error => error.inc(),
            RecycleReason::Unknown => unknown.inc(),
            RecycleReason::Fenced => fenced.inc(),
            RecycleReason::Stuck => stuck.inc(),
        }
    }
}
