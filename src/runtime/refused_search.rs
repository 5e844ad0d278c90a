//! The search for the record whose output Kafka refuses: the transaction is redone with half as many records, task by task,
//! until one record is left, whose dead letter takes its place.

use millpond_topology::ProcessError;

use super::owned_task::OwnedTask;
use super::stream_thread::{StreamThread, has_next};
use super::thread_error::ThreadError;
use crate::engine::Phase;
use crate::kafka::code;

impl StreamThread {
    /// A suspect with nothing to process would keep the others waiting for ever.
    pub(super) fn pass_over_idle_suspects(&mut self) {
        while self.records_max != usize::MAX {
            match self.tasks.get(self.suspect) {
                Some(owned) if has_next(owned) || owned.task.is_dirty() => return,
                Some(_) => self.suspect += 1,
                None => self.all_innocent(),
            }
        }
    }

    /// No record was refused by itself: it may have been a punctuator's output.
    pub(super) fn all_innocent(&mut self) {
        self.work_unlimited();
        self.punctuators_alone = self.tasks.iter().any(|owned| owned.task.has_punctuators());
    }

    /// Lets punctuators have a transaction without records: if that is refused, no record is to blame.
    pub(super) fn punctuate_alone(&mut self) -> Result<(), ThreadError> {
        self.commit()?;
        if self.lane.phase() == Phase::Idle {
            let outcome = self.lane.begin(&mut self.tasks)?;
            self.finish(&outcome)?;
        }
        if self.lane.phase() != Phase::Open {
            return Ok(());
        }
        let now = self.shared.clock.now();
        for owned in &mut self.tasks {
            owned.task.punctuate(now)?;
        }
        self.commit()
    }

    fn work_unlimited(&mut self) {
        self.records_max = usize::MAX;
        self.suspect = 0;
    }

    /// Kafka refused a record: narrows it down, and makes a dead letter of the input that causes it.
    pub(super) fn halve(&mut self, refused_code: i32) -> Result<(), ThreadError> {
        if let Some(place) = self.rejecting.take() {
            return Err(ThreadError::RefusedLetter { place, code: refused_code });
        }
        if self.committing == 0 {
            return Err(ThreadError::Refused { code: refused_code });
        }
        if self.records_max > 1 {
            let held = self.tasks.iter().map(OwnedTask::waiting).sum::<usize>();
            self.records_max = (self.records_max.min(held.max(2)) / 2).max(1);
            return Ok(());
        }
        let now = self.shared.clock.now();
        let outcome = self.lane.begin(&mut self.tasks)?;
        self.finish(&outcome)?;
        if self.lane.phase() != Phase::Open {
            // This process is no member: the next owner looks for it anew.
            self.work_unlimited();
            return Ok(());
        }
        let Some(owned) = self.tasks.get_mut(self.suspect).filter(|owned| has_next(owned)) else {
            // What is refused comes from no input: a punctuator's output, or the marker.
            return Err(ThreadError::Refused { code: refused_code });
        };
        let reason = if is_too_large(refused_code) { "TOO_LARGE" } else { "INVALID_TIMESTAMP" };
        let refused = ProcessError::dead_letter(reason, "Kafka refused an output of this record");
        let place =
            owned.task.next_source(now).map(|at| format!("{}-{}@{}", at.topic, at.partition, at.offset));
        owned.task.reject_next(now, refused)?;
        self.rejecting = place;
        self.work_unlimited();
        self.commit()?;
        self.rejecting = None;
        Ok(())
    }
}

/// Says whether Kafka refuses a record for its size. Several refused ones of a batch share the general code 87, which only
/// bad timestamps lead to here.
fn is_too_large(refused_code: i32) -> bool {
    matches!(refused_code, code::MSG_SIZE_TOO_LARGE | code::RECORD_LIST_TOO_LARGE)
}
