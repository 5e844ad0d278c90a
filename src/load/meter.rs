//! Counters that the producer's threads write and the progress display reads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::record::Kind;

/// How far writing has come.
#[derive(Debug, Default)]
pub struct Meter {
    sent: AtomicU64,
    orders: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    first_failure: OnceLock<String>,
}

impl Meter {
    /// Returns how many records were handed to the producer.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns how many of them belong to the order stream: the orders asked for, without the other events around them.
    #[must_use]
    pub fn orders(&self) -> u64 {
        self.orders.load(Ordering::Relaxed)
    }

    /// Returns how many deliveries the broker acknowledged, those of aborted transactions included.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Returns how many deliveries failed for good, and the error of the first that failed at all.
    #[must_use]
    pub fn failures(&self) -> (u64, String) {
        (self.failed.load(Ordering::Acquire), self.first_failure.get().cloned().unwrap_or_default())
    }

    pub(super) fn add_sent(&self, kind: Kind) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if !matches!(kind, Kind::Open | Kind::Deposit | Kind::Other(_)) {
            self.orders.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn add_acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_failure(&self, error: &KafkaError) {
        self.note_failure(error);
        self.failed.fetch_add(1, Ordering::Release);
    }

    /// Keeps the error without counting it: the delivery is tried again.
    pub(super) fn note_failure(&self, error: &KafkaError) {
        let cure = match error.rdkafka_error_code() {
            // Bad records from the future reach the topic only when it lets them.
            Some(RDKafkaErrorCode::InvalidTimestamp) => {
                "; the topic needs message.timestamp.after.max.ms=9223372036854775807"
            }
            _ => "",
        };
        // Only the first error is kept; the others follow from it or are like it.
        let _ = self.first_failure.set(format!("{error}{cure}"));
    }
}
