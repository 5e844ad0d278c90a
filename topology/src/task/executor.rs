//! The task: takes records from its inputs in order and runs them through the processors.

use std::sync::Arc;

use super::dead_letter;
use super::input::{Input, InputState};
use super::outputs::{OutputRun, Outputs};
use super::punctuate::Punctuators;
use super::seal::{Applied, Sealed};
use crate::changelog::{Fingerprint, InputOffset, Marker, PunctuationDue, StoreTally};
use crate::context::{Context, Facts, Shared, SourcePosition};
use crate::error::{ProcessError, TaskError};
use crate::graph::SubTopology;
use crate::node::Entry;
use crate::record::RawRecord;
use crate::store::{StateReader, StoreSet};
use crate::task::Counters;
use crate::task_id::TaskId;
use crate::time::Now;

/// Facts about the cluster and limits that a task needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOptions {
    /// Application id.
    pub app: String,
    /// Partition count of every input topic.
    pub input_partitions: u32,
    /// Partition count of every sink, in the order of [`SubTopology::sinks`].
    pub sink_partitions: Vec<u32>,
    /// How far a record's timestamp may be ahead of the host's clock, ms (24 h unless configured).
    pub timestamp_max_ahead_ms: i64,
    /// Longest value that a dead letter carries, bytes; a longer one is cut.
    pub dead_letter_value_bytes_max: usize,
}

/// Where a task goes on: from its marker, or from the start of its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Next offset of every input, any order.
    pub inputs: Vec<InputOffset>,
    /// Number of the task's transactions so far.
    pub sequence: u64,
    /// Greatest record timestamp seen, ms; -1 = none.
    pub stream_time_ms: i64,
    /// Due times of punctuators that have one.
    pub punctuations: Vec<PunctuationDue>,
    /// Tallies of the stores that keep one.
    pub tallies: Vec<StoreTally>,
}

impl From<Marker> for Restored {
    fn from(marker: Marker) -> Self {
        Self {
            inputs: marker.inputs,
            sequence: marker.sequence,
            stream_time_ms: marker.stream_time_ms,
            punctuations: marker.punctuations,
            tallies: marker.tallies,
        }
    }
}

/// The content of a sealed transaction.
#[derive(Debug)]
struct SealedParts {
    marker: Marker,
    bytes: Vec<u8>,
}

/// Executes one sub-topology for one partition.
///
/// The caller pushes records, processes, seals, and, once the transaction's outcome is known, applies or rolls back.
pub struct Task<R> {
    id: TaskId,
    sub: Arc<SubTopology>,
    options: TaskOptions,
    fingerprint: Fingerprint,
    inputs: Vec<Input<R>>,
    entries: Vec<Box<dyn Entry>>,
    stores: StoreSet,
    outputs: Outputs,
    punctuators: Punctuators,
    counters: Counters,
    record_counters: Counters,
    dead_letters: Counters,
    sequence: u64,
    stream_time_ms: i64,
    committed_stream_time_ms: i64,
    order: Vec<usize>,
    sealed: Option<SealedParts>,
    /// The parts of an earlier transaction, whose buffers the next one uses.
    spare: Option<SealedParts>,
}

impl<R: RawRecord> Task<R> {
    /// Returns a task of `sub` that goes on at `restored` over the committed state `base`.
    ///
    /// # Errors
    /// [`TaskError::Misuse`] when an input is missing from `restored` or the partition counts do not fit the sinks.
    pub fn new(
        id: TaskId,
        sub: &Arc<SubTopology>,
        options: TaskOptions,
        restored: &Restored,
        base: Box<dyn StateReader>,
    ) -> Result<Self, TaskError> {
        let misuse = |message: String| TaskError::Misuse { task: id, message };
        if options.sink_partitions.len() != sub.sinks().len() {
            return Err(misuse(format!("{} sink partition counts for {} sinks", options.sink_partitions.len(), sub.sinks().len())));
        }
        let mut inputs = Vec::new();
        for (source, topic) in sub.inputs() {
            let found = restored.inputs.iter().find(|input| input.topic == topic);
            let found = found.ok_or_else(|| misuse(format!("no start offset for input topic {topic}")))?;
            inputs.push(Input::new(topic.to_owned(), found.topic_id, source, found.next_offset));
        }
        Ok(Self {
            id,
            sub: Arc::clone(sub),
            fingerprint: sub.fingerprint(),
            inputs,
            entries: sub.build_entries(),
            stores: StoreSet::new(sub.stores().iter().map(|store| store.spec.clone()).collect(), base, &restored.tallies),
            outputs: Outputs::new(&options.sink_partitions),
            punctuators: Punctuators::new(sub.punctuators(), &restored.punctuations),
            counters: Counters::default(),
            record_counters: Counters::default(),
            dead_letters: Counters::default(),
            sequence: restored.sequence,
            stream_time_ms: restored.stream_time_ms,
            committed_stream_time_ms: restored.stream_time_ms,
            order: Vec::new(),
            sealed: None,
            spare: None,
            options,
        })
    }

    /// Returns the task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Returns the sequence number of the last applied transaction.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the input topics, in the order of their indices.
    pub fn input_topics(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inputs.iter().map(|input| input.topic.as_str())
    }

    /// Returns the state of the input at `index`.
    #[must_use]
    pub fn input(&self, index: usize) -> Option<InputState> {
        self.inputs.get(index).map(Input::state)
    }

    /// Says whether the input at `index` has nothing buffered and is not known to be at its end.
    #[must_use]
    pub fn awaits(&self, index: usize) -> bool {
        self.inputs.get(index).is_some_and(Input::must_wait)
    }

    /// Returns the number of reads that went to the committed state so far.
    #[must_use]
    pub fn base_reads(&self) -> u64 {
        self.stores.base_reads()
    }

    /// Buffers a record of the input at `index`. One below the applied offset is skipped and `false` is returned.
    pub fn push(&mut self, index: usize, record: R) -> bool {
        self.inputs.get_mut(index).is_some_and(|input| input.push(record))
    }

    /// Notes that the input at `index` ends at `offset` for the time being.
    pub fn reached_end(&mut self, index: usize, offset: i64) {
        if let Some(input) = self.inputs.get_mut(index) {
            input.reached_end(offset);
        }
    }

    /// Returns the input whose record is next: the smallest timestamp; ties go to the first input. `None` when there is
    /// none, or when an empty input may hold an older one.
    fn choose(&self) -> Option<usize> {
        if self.inputs.len() > 1 && self.inputs.iter().any(Input::must_wait) {
            return None;
        }
        let heads = self.inputs.iter().enumerate().filter_map(|(at, input)| Some((input.peek()?.timestamp_ms(), at)));
        heads.min().map(|(_, at)| at)
    }

    /// Processes up to `records_max` records and returns how many.
    ///
    /// # Errors
    /// [`TaskError`] when a processor asks to stop or retry, or a store fails; the record in hand is undone.
    pub fn process(&mut self, now: Now, records_max: usize) -> Result<usize, TaskError> {
        let mut done = 0;
        while done < records_max && self.sealed.is_none() {
            let Some(at) = self.choose() else { break };
            self.process_one(at, now, None)?;
            done += 1;
        }
        Ok(done)
    }

    /// Turns the next record into a dead letter without processing it.
    ///
    /// # Errors
    /// [`TaskError`] when the topology has no dead-letter topic.
    pub fn reject_next(&mut self, now: Now, error: ProcessError) -> Result<usize, TaskError> {
        let Some(at) = self.choose() else { return Ok(0) };
        self.process_one(at, now, Some(error))?;
        Ok(1)
    }

    fn process_one(&mut self, at: usize, now: Now, refused: Option<ProcessError>) -> Result<(), TaskError> {
        let Some(input) = self.inputs.get(at) else { return Ok(()) };
        let (Some(record), Some(entry)) = (input.peek(), self.entries.get_mut(input.source)) else { return Ok(()) };
        self.stores.overlay.begin_record();
        self.outputs.begin_record(Some(record));
        self.record_counters.reset();
        let timestamp_ms = record.timestamp_ms();
        let plausible = timestamp_ms >= 0 && timestamp_ms - now.wall_ms <= self.options.timestamp_max_ahead_ms;
        let partition = self.id.partition;
        let result = if let Some(error) = refused {
            Err(error)
        } else if plausible {
            self.stream_time_ms = self.stream_time_ms.max(timestamp_ms);
            let facts = Facts {
                task: self.id,
                source: Some(SourcePosition { topic: &input.topic, partition, offset: record.offset() }),
                input_partitions: self.options.input_partitions,
                stream_time_ms: self.stream_time_ms,
                timestamp_ms,
            };
            let mut shared = Shared {
                stores: &mut self.stores,
                outputs: &mut self.outputs,
                counters: &mut self.record_counters,
                output_index: 0,
            };
            entry.process(record, &mut Context::new(&mut shared, facts))
        } else {
            let message = format!("timestamp {timestamp_ms} ms, the host's clock shows {} ms", now.wall_ms);
            Err(ProcessError::dead_letter("INVALID_TIMESTAMP", message))
        };
        match result {
            Ok(()) => {
                for (name, count) in self.record_counters.iter() {
                    self.counters.add(name, count);
                }
            }
            Err(error) => self.refuse(at, now, error)?,
        }
        if let Some(input) = self.inputs.get_mut(at) {
            input.advance();
        }
        Ok(())
    }

    /// Undoes the record in hand and emits its dead letter, or passes the error on.
    fn refuse(&mut self, at: usize, now: Now, error: ProcessError) -> Result<(), TaskError> {
        self.stores.overlay.undo_record();
        self.outputs.undo_record();
        let Some(input) = self.inputs.get(at) else { return Ok(()) };
        let Some(record) = input.peek() else { return Ok(()) };
        let (ProcessError::DeadLetter { code, message }, Some(sink)) = (&error, self.sub.dead_letter_sink()) else {
            return Err(TaskError::Record {
                task: self.id,
                topic: input.topic.clone(),
                partition: self.id.partition,
                offset: record.offset(),
                source: error,
            });
        };
        let reason = dead_letter::Reason {
            app: &self.options.app,
            code,
            message,
            topic: &input.topic,
            partition: self.id.partition,
            wall_ms: now.wall_ms,
            value_bytes_max: self.options.dead_letter_value_bytes_max,
        };
        self.dead_letters.add(code, 1);
        dead_letter::emit(&mut self.outputs, sink, record, &reason);
        Ok(())
    }

    /// Says whether the task has punctuators.
    #[must_use]
    pub fn has_punctuators(&self) -> bool {
        !self.sub.punctuators().is_empty()
    }

    /// Calls the punctuators that are due; returns how many calls were made.
    ///
    /// # Errors
    /// [`TaskError::Punctuator`] when a processor fails; its effects are undone.
    pub fn punctuate(&mut self, now: Now) -> Result<usize, TaskError> {
        let mut calls = 0;
        while self.sealed.is_none() {
            let Some(punctuation) = self.punctuators.next_due(self.stream_time_ms, now.wall_ms) else { break };
            self.stores.overlay.begin_record();
            self.outputs.begin_record(None);
            let facts = Facts {
                task: self.id,
                source: None,
                input_partitions: self.options.input_partitions,
                stream_time_ms: self.stream_time_ms,
                timestamp_ms: punctuation.scheduled_ms,
            };
            let mut shared = Shared {
                stores: &mut self.stores,
                outputs: &mut self.outputs,
                counters: &mut self.counters,
                output_index: 0,
            };
            let mut ctx = Context::new(&mut shared, facts);
            let failed = self.entries.iter_mut().find_map(|entry| match entry.punctuate(punctuation, &mut ctx) {
                Ok(true) => Some(None),
                Ok(false) => None,
                Err(error) => Some(Some(error)),
            });
            if let Some(Some(source)) = failed {
                self.stores.overlay.undo_record();
                self.outputs.undo_record();
                let (punctuator, scheduled_ms) = (punctuation.id, punctuation.scheduled_ms);
                return Err(TaskError::Punctuator { task: self.id, punctuator, scheduled_ms, source });
            }
            self.punctuators.advance(punctuation, self.stream_time_ms, now.wall_ms);
            calls += 1;
        }
        Ok(calls)
    }

    /// Says whether there is anything to commit: outputs, state, or offsets that moved.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.has_effects() || self.inputs.iter().any(|input| input.next_offset() != input.applied())
    }

    /// Says whether the open transaction has processed records, outputs or state changes, not moved offsets alone.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        self.outputs.records() > 0
            || self.stores.overlay.written() > 0
            || self.inputs.iter().any(|input| input.held() > 0)
            || self.punctuators.moved()
    }

    /// Returns the bytes that the open transaction holds: outputs and overlay.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.outputs.bytes() + self.stores.overlay.bytes_held()
    }

    /// Returns the rows that the open transaction holds: outputs and after-images.
    #[must_use]
    pub fn pending_rows(&self) -> usize {
        self.outputs.records() + self.stores.overlay.written()
    }

    /// Ends the open transaction's content: nothing more is processed until it is applied or rolled back.
    pub fn seal(&mut self) -> Sealed<'_, R> {
        if self.sealed.is_none() {
            self.stores.overlay.sort_written(&mut self.order);
            let mut parts = self.spare.take().unwrap_or_else(|| self.new_parts());
            let marker = &mut parts.marker;
            for known in &mut marker.inputs {
                if let Some(input) = self.inputs.iter().find(|input| input.topic == known.topic) {
                    // Committed offsets never decrease.
                    known.next_offset = input.next_offset().max(input.applied());
                }
            }
            marker.sequence = self.sequence + 1;
            marker.stream_time_ms = self.stream_time_ms;
            marker.punctuations = self.punctuators.due();
            self.stores.tallies_into(&mut marker.tallies);
            parts.bytes.clear();
            marker.encode(&mut parts.bytes);
            self.sealed = Some(parts);
        }
        let parts = self.sealed.as_ref().unwrap_or_else(|| unreachable!("sealed above"));
        Sealed { task: self, marker: &parts.marker, marker_bytes: &parts.bytes, order: &self.order }
    }

    /// Returns parts to be filled in by the task's first transaction; later ones use them again.
    fn new_parts(&self) -> SealedParts {
        let mut inputs: Vec<InputOffset> = self
            .inputs
            .iter()
            .map(|input| InputOffset {
                topic: input.topic.clone(),
                topic_id: input.topic_id,
                next_offset: input.applied(),
            })
            .collect();
        inputs.sort_by(|a, b| a.topic.cmp(&b.topic));
        let marker = Marker {
            fingerprint: self.fingerprint.clone(),
            sequence: self.sequence,
            inputs,
            stream_time_ms: self.stream_time_ms,
            punctuations: Vec::new(),
            tallies: Vec::new(),
        };
        SealedParts { marker, bytes: Vec::new() }
    }

    /// Returns the sealed content again, if the transaction is sealed.
    #[must_use]
    pub fn sealed(&self) -> Option<Sealed<'_, R>> {
        let parts = self.sealed.as_ref()?;
        Some(Sealed { task: self, marker: &parts.marker, marker_bytes: &parts.bytes, order: &self.order })
    }

    /// Takes note that the sealed transaction is committed and that the base holds its after-images.
    ///
    /// # Errors
    /// [`TaskError::Misuse`] when nothing is sealed.
    pub fn apply(&mut self) -> Result<Applied, TaskError> {
        let Some(mut parts) = self.sealed.take() else {
            return Err(TaskError::Misuse { task: self.id, message: "apply without a sealed transaction".into() });
        };
        let mut applied = Applied {
            records: self.inputs.iter().map(|input| input.held() as u64).sum(),
            outputs: self.outputs.records() as u64,
            images: self.stores.overlay.written() as u64,
            counters: self.counters.clone(),
            dead_letters: self.dead_letters.clone(),
            ..Applied::default()
        };
        for (topic, _, run) in self.output_runs() {
            let (records, bytes) = (run.len() as u64, run.bytes() as u64);
            match applied.outputs_by_topic.iter_mut().find(|(known, _, _)| known == topic) {
                Some(sum) => (sum.1, sum.2) = (sum.1 + records, sum.2 + bytes),
                None => applied.outputs_by_topic.push((topic.to_owned(), records, bytes)),
            }
        }
        // One in 64 and the last of each input.
        applied.timestamps_ms.reserve(usize::try_from(applied.records).unwrap_or(0) / 64 + 2 * self.inputs.len());
        for input in &mut self.inputs {
            let (records, bytes) = input.processed(&mut applied.timestamps_ms);
            applied.inputs.push((input.topic.clone(), records, bytes));
            if let Some(offset) = parts.marker.next_offset(&input.topic) {
                input.apply(offset);
            }
        }
        self.sequence = parts.marker.sequence;
        self.committed_stream_time_ms = self.stream_time_ms;
        self.punctuators.apply();
        self.stores.promote(&mut parts.marker.tallies);
        self.spare = Some(parts);
        self.clear();
        Ok(applied)
    }

    /// Takes back everything since the last applied transaction; the records are processed again from memory.
    pub fn rollback(&mut self) {
        self.spare = self.sealed.take().or(self.spare.take());
        self.inputs.iter_mut().for_each(Input::rewind);
        self.stream_time_ms = self.committed_stream_time_ms;
        self.punctuators.rollback();
        self.stores.overlay.clear();
        self.clear();
    }

    fn clear(&mut self) {
        self.outputs.clear();
        self.counters.reset();
        self.dead_letters.reset();
        self.order.clear();
    }

    pub(super) fn output_runs(&self) -> impl Iterator<Item = (&str, u32, &OutputRun)> {
        self.outputs.runs().filter_map(|(sink, partition, run)| {
            self.sub.sinks().get(sink).map(|info| (info.topic.as_str(), partition, run))
        })
    }

    pub(super) fn image(&self, at: usize) -> Option<(&[u8], Option<&[u8]>)> {
        self.stores.overlay.entry(at)
    }
}
