//! The end of a restore: whether what was read agrees with the committed offsets, and the task that is built of it.

use std::time::Instant;

use millpond_mutants::{Mutant, is};
use millpond_state::{StorageError, Store};
use millpond_topology::{CHANGELOG_MARKER_KEY, Marker, StateReader, SubTopology, Task, TaskOptions};

use super::memory::Memory;
use super::owned_task::OwnedTask;
use super::restore::{Failed, Job, Restorer, missing};
use super::restore_error::RestoreError;
use crate::engine::{
    ChangelogPosition, CommittedInput, InputFacts, Nonce, RestoreFacts, RestoreStop, conclude,
};
use crate::kafka::{PartitionEnds, Position, TopicPartition};

impl Restorer {
    /// Checks what was restored and builds the task.
    pub(super) fn finish(&self, job: Job) -> Result<OwnedTask, Failed> {
        let task = job.request.task;
        let storage = |source| RestoreError::Storage { task, source };
        let marker = read_marker(&job.store).map_err(|source| {
            Failed::Stop(match source {
                MarkerFault::Store(source) => storage(source),
                MarkerFault::Format(text) => RestoreError::Marker { task, text },
            })
        })?;
        let inputs = self.input_facts(&job)?;
        let facts = RestoreFacts {
            app: self.topology.app().to_owned(),
            brokers: self.settings.brokers.clone(),
            changelog: job.changelog.clone(),
            partition: task.partition,
            fingerprint: job.sub.fingerprint(),
            inputs,
            marker,
            may_start_trimmed: self.settings.may_start_trimmed,
        };
        let restored = match conclude(facts) {
            Ok(restored) => restored,
            Err(source) => return Err(self.disagree(&job, source)),
        };
        let previous = previous_nonce(&job);
        let options = TaskOptions {
            app: self.topology.app().to_owned(),
            input_partitions: self.facts.input_partitions(&job.sub),
            sink_partitions: self.facts.sink_partitions(&job.sub),
            timestamp_max_ahead_ms: self.settings.timestamp_max_ahead_ms,
            dead_letter_value_bytes_max: 900 * 1024,
            held_bytes_max: self.held_bytes_max(&job.sub),
        };
        let built = Task::new(task, &job.sub, options, &restored, Box::new(job.store.reader()));
        let mut built = built.map_err(RestoreError::from)?;
        built.stop_on_poison(self.settings.poison_stops.clone());
        let inputs = built
            .input_topics()
            .map(|topic| TopicPartition { topic: topic.to_owned(), partition: task.partition });
        let inputs = inputs.collect();
        tracing::info!(
            %task,
            records = job.records,
            from = job.from,
            ms = u64::try_from(job.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            sequence = restored.sequence,
            "restored"
        );
        Ok(OwnedTask {
            task: built,
            position: ChangelogPosition::new(job.store.position()),
            store: job.store,
            incarnation: job.request.incarnation,
            previous,
            attempt: 0,
            changelog: job.changelog,
            flushed: Instant::now(),
            inputs,
        })
    }

    fn held_bytes_max(&self, sub: &SubTopology) -> usize {
        let tasks = self.facts.input_partitions(sub);
        Memory::divide(self.settings.memory_budget, &self.topology).held_per_task(tasks)
    }

    /// State and offsets do not agree. A process that was thrown out and does not know it yet may have read the offsets
    /// before and the changelog after a transaction of the task's owner: only offsets that stand still prove anything.
    fn disagree(&self, job: &Job, source: RestoreStop) -> Failed {
        match self.stable_offsets(&job.request, &job.sub) {
            Ok(again) if again == job.committed || is(Mutant::NoSecondLook) => {
                RestoreError::Stop { task: job.request.task, source }.into()
            }
            Ok(_) => {
                Failed::Again("its offsets were committed meanwhile: another instance runs it".to_owned())
            }
            Err(failed) => failed,
        }
    }

    fn input_facts(&self, job: &Job) -> Result<Vec<CommittedInput>, Failed> {
        let partition = job.request.task.partition;
        let ask: Vec<_> = job.sub.inputs().map(|(_, topic)| (topic, partition)).collect();
        let ends = self.cluster.ends(&ask)?;
        let mut inputs = Vec::new();
        let mut board = self.shared.board();
        let line = board.tasks.entry(job.request.task).or_default();
        line.inputs.clear();
        for ((topic, _), ends) in ask.into_iter().zip(ends) {
            let topic_id = self.facts.topic_id(topic).ok_or_else(|| missing(topic))?;
            let committed = job.committed.get(topic).map(|at| at.offset).filter(|offset| *offset >= 0);
            line.inputs.push(super::board::InputLine {
                topic: topic.to_owned(),
                position: committed.unwrap_or(ends.log_start),
                committed: committed.unwrap_or(ends.log_start),
                log_start: ends.log_start,
                last_stable: ends.last_stable,
                high_watermark: ends.high_watermark,
                last_record_ms: 0,
            });
            let PartitionEnds { log_start, high_watermark, .. } = ends;
            let facts = InputFacts { topic: topic.to_owned(), topic_id, log_start, high_watermark };
            let sequence = job.committed.get(topic).and_then(nonce).map(|nonce| nonce.sequence);
            inputs.push(CommittedInput { facts, committed, sequence });
        }
        Ok(inputs)
    }
}

/// Returns the nonce of what is committed. An offset that a person set back to where the state stands has none: whatever
/// nonce is found later is then of a transaction after it.
fn previous_nonce(job: &Job) -> Option<Nonce> {
    let (_, topic) = job.sub.inputs().next()?;
    let at = job.committed.get(topic).filter(|at| at.offset >= 0)?;
    let nonce = nonce(at);
    if nonce.is_none() {
        let (task, offset) = (job.request.task, at.offset);
        tracing::warn!(%task, topic, offset, "the committed offset was set from outside, to where the state stands");
    }
    nonce
}

pub(super) fn nonce(at: &Position) -> Option<Nonce> {
    at.metadata.as_ref()?.parse().ok()
}

/// Why the marker is not there to be read.
enum MarkerFault {
    Store(StorageError),
    Format(String),
}

fn read_marker(store: &Store) -> Result<Option<Marker>, MarkerFault> {
    let mut bytes = Vec::new();
    match store.reader().get(&CHANGELOG_MARKER_KEY, &mut bytes) {
        Ok(true) => Marker::decode(&bytes).map(Some).map_err(|error| MarkerFault::Format(error.to_string())),
        Ok(false) => Ok(None),
        Err(error) => Err(MarkerFault::Store(StorageError::Storage { message: error.to_string() })),
    }
}
