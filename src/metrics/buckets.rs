//! Bucket bounds, each for what it measures.

/// Seconds from a record's timestamp to its effect: 5 ms to 60 s, with an exact bound at every SLO (0.1,
/// 0.5, 1, 5,
/// 10, 30, 60 s).
pub(super) const E2E_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];

/// Seconds spent on one batch of records: 50 us to 5 s.
pub(super) const BATCH_SECONDS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 1.0, 5.0];

/// Seconds from the decision to commit to the answer: 1 ms, as a healthy broker takes, to past the 10 s
/// timeout.
pub(super) const COMMIT_SECONDS: [f64; 13] =
    [0.001, 0.002_5, 0.005, 0.01, 0.02, 0.05, 0.08, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];

/// Seconds from the first sign of a rebalance to the new assignment: 10 ms to past the rebalance timeout.
pub(super) const REBALANCE_SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Records per batch.
pub(super) const BATCH_RECORDS: [f64; 11] =
    [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0];
