//! A task on its thread, with its store: one owner for both.

use std::time::{Duration, Instant};

use millpond_state::{Batch, StorageError, Store};
use millpond_topology::{Applied, Task, TaskError, TaskId};

use crate::engine::{ChangelogPosition, Incarnation, Member, Nonce};
use crate::kafka::{Message, Position, TopicPartition};

/// A restored task.
pub(crate) struct OwnedTask {
    /// The task.
    pub task: Task<Message>,
    /// Its store.
    pub store: Store,
    /// This acquisition.
    pub incarnation: Incarnation,
    /// Nonce of the committed offsets; `None` when there are none.
    pub previous: Option<Nonce>,
    /// Redo count of the next transaction.
    pub attempt: u32,
    /// Changelog position of the store.
    pub position: ChangelogPosition,
    /// Changelog topic.
    pub changelog: String,
    /// When the store was last flushed.
    pub flushed: Instant,
    /// Inputs, by index.
    pub inputs: Vec<TopicPartition>,
}

/// What applying a transaction can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The store failed: Kafka has committed what the store lacks.
    #[error("store of task {task}: {source}")]
    Storage {
        /// The task.
        task: TaskId,
        /// What RocksDB said.
        source: StorageError,
    },
    /// The task had nothing sealed.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl OwnedTask {
    /// Returns the task as a member of a transaction of `transactional_id`.
    #[must_use]
    pub(crate) fn member(&self, transactional_id: &str) -> Member {
        let nonce = Nonce {
            incarnation: self.incarnation,
            sequence: self.task.sequence() + 1,
            attempt: self.attempt,
            transactional_id: transactional_id.to_owned(),
        };
        Member { task: self.task.id(), incarnation: self.incarnation, nonce, previous: self.previous.clone() }
    }

    /// Returns its id if `committed` holds an offset of it that another transaction has committed than its last one here. What
    /// it holds was restored from a broker that was cut off and answered by the past, or another process owns it.
    #[must_use]
    pub(crate) fn committed_by_another(&self, committed: &[Position]) -> Option<TaskId> {
        let input = self.inputs.first()?;
        let same = |at: &&Position| at.topic == input.topic && at.partition == input.partition;
        // An offset that a person set has no nonce; the next transaction sets it right.
        let found: Nonce = committed.iter().find(same)?.metadata.as_ref()?.parse().ok()?;
        (self.previous.as_ref() != Some(&found)).then(|| self.task.id())
    }

    /// Returns where its inputs are to be read from.
    #[must_use]
    pub(crate) fn start_positions(&self) -> Vec<Position> {
        let inputs = self.inputs.iter().enumerate();
        inputs
            .map(|(at, input)| {
                let next = self.task.input(at).map_or(0, |state| state.applied_offset);
                Position::new(&input.topic, input.partition, next)
            })
            .collect()
    }

    /// Writes the sealed transaction, known to be committed, into the store and promotes it.
    ///
    /// # Errors
    /// [`ApplyError`]; the process must not go on with this task then.
    pub(crate) fn apply(&mut self, nonce: Nonce, wall_ms: i64) -> Result<Option<Applied>, ApplyError> {
        let Some(sealed) = self.task.sealed() else { return Ok(None) };
        let rows = i64::try_from(sealed.changelog_records()).unwrap_or(i64::MAX);
        let batch = Batch {
            images: sealed.images(),
            marker: sealed.marker_bytes(),
            position: self.position.after(rows),
            wall_ms,
        };
        let task = self.task.id();
        self.store.apply(batch).map_err(|source| ApplyError::Storage { task, source })?;
        self.position.applied(rows);
        self.previous = Some(nonce);
        self.attempt = 0;
        Ok(Some(self.task.apply()?))
    }

    /// Takes everything back since the last applied transaction.
    pub(crate) fn rollback(&mut self) {
        self.task.rollback();
        self.position.aborted();
        self.attempt += 1;
    }

    /// Returns the number of records that the open transaction has processed.
    #[must_use]
    pub(crate) fn processed(&self) -> usize {
        (0..self.inputs.len()).filter_map(|at| self.task.input(at)).map(|input| input.held).sum()
    }

    /// Returns the number of records that can be processed now: none while an input must be waited for.
    #[must_use]
    pub(crate) fn waiting(&self) -> usize {
        let inputs = self.inputs.len();
        if inputs > 1 && (0..inputs).any(|at| self.task.awaits(at)) {
            return 0;
        }
        (0..inputs).filter_map(|at| self.task.input(at)).map(|input| input.waiting).sum()
    }

    /// Flushes the store when it is due by time or rows, and says whether it was.
    ///
    /// # Errors
    /// RocksDB's.
    pub(crate) fn flush_if_due(
        &mut self,
        interval: Duration,
        rows: u64,
        wall_ms: i64,
    ) -> Result<bool, StorageError> {
        let is_due = self.flushed.elapsed() >= interval || self.store.rows_since_flush() >= rows;
        if is_due {
            self.flushed = Instant::now();
            self.store.flush(wall_ms)?;
        }
        Ok(is_due)
    }

    /// Flushes and closes the store.
    ///
    /// # Errors
    /// RocksDB's.
    pub(crate) fn close(self, wall_ms: i64) -> Result<(), StorageError> {
        let Self { task, store, .. } = self;
        // The task reads through the store.
        drop(task);
        store.close(wall_ms)
    }
}
