//! Time as a value: the pure parts never ask a clock.

use std::time::Duration;

/// A reading of both clocks, taken once per batch at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Monotonic time since an arbitrary start; for intervals and deadlines.
    pub monotonic: Duration,
    /// Wall clock, milliseconds since the epoch; only for scheduled times and plausibility, never for order.
    pub wall_ms: i64,
}

impl Now {
    /// Returns a reading from its parts.
    #[must_use]
    pub const fn new(monotonic: Duration, wall_ms: i64) -> Self {
        Self { monotonic, wall_ms }
    }
}
