//! The bounded buffer between the reader thread and one writer.
//!
//! While the writer flushes, the reader fills; the writer then takes everything at once, so batches grow with
//! the load and there is no linger timer. When it is full the reader leaves the partitions' queues alone,
//! librdkafka's own bounded queues fill, and fetching stops: back-pressure without `pause()`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::batch::Run;

/// Runs waiting for a writer.
pub(super) struct Inbox {
    limit_rows: usize,
    limit_bytes: usize,
    buffered: Mutex<Buffered>,
    filled: Notify,
}

#[derive(Default)]
struct Buffered {
    runs: Vec<Run>,
    rows: usize,
    bytes: usize,
}

impl Inbox {
    pub(super) fn new(limit_rows: usize, limit_bytes: usize) -> Self {
        Self { limit_rows, limit_bytes, buffered: Mutex::default(), filled: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Buffered> {
        // Every critical section leaves the buffer consistent at each of its steps.
        self.buffered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many records and bytes may still be pushed.
    pub(super) fn room(&self) -> (usize, usize) {
        let buffered = self.lock();
        let rows = self.limit_rows.saturating_sub(buffered.rows);
        (rows, self.limit_bytes.saturating_sub(buffered.bytes))
    }

    /// Appends a run; one without records only lengthens the last run of its partition where it can.
    pub(super) fn push(&self, run: Run) {
        let mut buffered = self.lock();
        buffered.rows += run.records.len();
        buffered.bytes += run.arena.len();
        let before = buffered.runs.iter_mut().rev().find(|before| before.partition == run.partition);
        match before {
            Some(before) if run.records.is_empty() && before.epoch == run.epoch && before.to == run.from => {
                before.to = run.to;
            }
            _ => buffered.runs.push(run),
        }
        drop(buffered);
        self.filled.notify_one();
    }

    /// Takes everything, if there are records, or with `marks` also mere movements of the position.
    pub(super) fn take(&self, marks: Marks) -> Vec<Run> {
        let mut buffered = self.lock();
        if buffered.rows == 0 && marks == Marks::Leave {
            return Vec::new();
        }
        std::mem::take(&mut *buffered).runs
    }

    /// Whether mere movements of the position wait.
    pub(super) fn has_marks(&self) -> bool {
        !self.lock().runs.is_empty()
    }

    /// Waits until something was pushed since the last wait.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }
}

/// Whether to take runs that only move the position past transaction markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    Take,
    Leave,
}
