//! The task: takes records from its inputs in order and runs them through the processors.

use std::sync::Arc;

use millpond_mutants::{Mutant, is};

use super::dead_letter;
use super::input::{Input, InputState};
use super::options::{Restored, TaskOptions};
use super::outputs::Outputs;
use super::punctuate::Punctuators;
use super::transaction::SealedParts;
use crate::changelog::Fingerprint;
use crate::context::{Context, Facts, Shared, SourcePosition};
use crate::error::{ProcessError, TaskError};
use crate::graph::SubTopology;
use crate::node::Entry;
use crate::record::RawRecord;
use crate::store::{StateReader, StoreSet};
use crate::task::Counters;
use crate::task_id::TaskId;
use crate::time::Now;

/// Executes one sub-topology for one partition.
///
/// The caller pushes records, processes, seals, and, once the transaction's outcome is known, applies or
/// rolls back.
pub struct Task<R> {
    pub(super) id: TaskId,
    pub(super) sub: Arc<SubTopology>,
    options: TaskOptions,
    pub(super) fingerprint: Fingerprint,
    pub(super) inputs: Vec<Input<R>>,
    entries: Vec<Box<dyn Entry>>,
    pub(super) stores: StoreSet,
    pub(super) outputs: Outputs,
    pub(super) punctuators: Punctuators,
    pub(super) counters: Counters,
    record_counters: Counters,
    pub(super) dead_letters: Counters,
    /// Dead letters of the open transaction: input, reason code, count.
    pub(super) dead_letters_by_input: Vec<(usize, &'static str, u64)>,
    /// Topics whose records must not become dead letters: the task stops before them.
    poison_stops: Vec<String>,
    last_timestamp_ms: i64,
    pub(super) sequence: u64,
    pub(super) stream_time_ms: i64,
    pub(super) committed_stream_time_ms: i64,
    pub(super) order: Vec<usize>,
    pub(super) sealed: Option<SealedParts>,
    /// The parts of an earlier transaction, whose buffers the next one uses.
    pub(super) spare: Option<SealedParts>,
}

impl<R: RawRecord> Task<R> {
    /// Returns a task of `sub` that goes on at `restored` over the committed state `base`.
    ///
    /// # Errors
    /// [`TaskError::Misuse`] when an input is missing from `restored`, the partition counts do not fit the
    /// sinks, or `base` cannot be read for a tally that `restored` lacks.
    pub fn new(
        id: TaskId,
        sub: &Arc<SubTopology>,
        options: TaskOptions,
        restored: &Restored,
        base: Box<dyn StateReader>,
    ) -> Result<Self, TaskError> {
        let misuse = |message: String| TaskError::Misuse { task: id, message };
        let (counts, sinks) = (options.sink_partitions.len(), sub.sinks().len());
        if counts != sinks {
            return Err(misuse(format!("{counts} sink partition counts for {sinks} sinks")));
        }
        let specs = sub.stores().iter().map(|store| store.spec.clone()).collect();
        let stores = StoreSet::new(specs, base, restored, options.held_bytes_max)
            .map_err(|error| misuse(format!("its tallies cannot be counted: {error}")))?;
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
            stores,
            outputs: Outputs::new(&options.sink_partitions),
            punctuators: Punctuators::new(sub.punctuators(), &restored.punctuations),
            counters: Counters::default(),
            record_counters: Counters::default(),
            dead_letters: Counters::default(),
            dead_letters_by_input: Vec::new(),
            poison_stops: Vec::new(),
            last_timestamp_ms: -1,
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

    /// Buffers a record of the input at `index`. One below the applied offset is skipped and `false` is
    /// returned.
    pub fn push(&mut self, index: usize, record: R) -> bool {
        self.inputs.get_mut(index).is_some_and(|input| input.push(record))
    }

    /// Notes that the input at `index` ends at `offset` for the time being.
    pub fn reached_end(&mut self, index: usize, offset: i64) {
        if let Some(input) = self.inputs.get_mut(index) {
            input.reached_end(offset);
        }
    }

    /// Returns the input whose record is next: the smallest timestamp; ties go to the first input. `None`
    /// when there is none, or when an empty input may hold an older one.
    ///
    /// A record with an implausible timestamp has no place in that order and no effect but its dead letter.
    /// It goes first: one dated 2099 would hold up its input for as long as the others have records.
    fn choose(&self, now: Now) -> Option<usize> {
        if self.inputs.len() > 1 && self.inputs.iter().any(Input::must_wait) {
            return None;
        }
        let place = |record: &R| {
            let timestamp_ms = record.timestamp_ms();
            if self.is_plausible(timestamp_ms, now) { timestamp_ms } else { i64::MIN }
        };
        let heads = self.inputs.iter().enumerate().filter_map(|(at, input)| Some((place(input.peek()?), at)));
        heads.min().map(|(_, at)| at)
    }

    fn is_plausible(&self, timestamp_ms: i64, now: Now) -> bool {
        let ahead_ms = timestamp_ms.saturating_sub(now.wall_ms);
        (timestamp_ms >= 0 && ahead_ms <= self.options.timestamp_max_ahead_ms)
            || is(Mutant::TimestampsUnchecked)
    }

    /// Processes up to `records_max` records and returns how many.
    ///
    /// # Errors
    /// [`TaskError`] when a processor asks to stop or retry, or a store fails; the record in hand is undone.
    pub fn process(&mut self, now: Now, records_max: usize) -> Result<usize, TaskError> {
        let mut done = 0;
        while done < records_max && self.sealed.is_none() {
            let Some(at) = self.choose(now) else { break };
            self.process_one(at, now, None)?;
            done += 1;
        }
        Ok(done)
    }

    /// Returns where the next record comes from, if there is one that can be processed.
    #[must_use]
    pub fn next_source(&self, now: Now) -> Option<SourcePosition<'_>> {
        let input = self.inputs.get(self.choose(now)?)?;
        let offset = input.peek()?.offset();
        Some(SourcePosition { topic: &input.topic, partition: self.id.partition, offset })
    }

    /// Turns the next record into a dead letter without processing it; its timestamp does not move stream
    /// time. Returns how many records it rejected: 0 when there is none, or when the transaction is sealed.
    ///
    /// # Errors
    /// [`TaskError`] when the topology has no dead-letter topic.
    pub fn reject_next(&mut self, now: Now, error: ProcessError) -> Result<usize, TaskError> {
        let Some(at) = self.choose(now).filter(|_| self.sealed.is_none()) else { return Ok(0) };
        self.process_one(at, now, Some(error))?;
        Ok(1)
    }

    fn process_one(&mut self, at: usize, now: Now, refused: Option<ProcessError>) -> Result<(), TaskError> {
        let Some(input) = self.inputs.get(at) else { return Ok(()) };
        let Some(record) = input.peek() else { return Ok(()) };
        let plausible = self.is_plausible(record.timestamp_ms(), now);
        let Some(entry) = self.entries.get_mut(input.source) else { return Ok(()) };
        self.stores.overlay.begin_record();
        self.outputs.begin_record(Some(record));
        self.record_counters.reset();
        let timestamp_ms = record.timestamp_ms();
        let stream_time_before_ms = self.stream_time_ms;
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
            let mut shared = Shared::new(&mut self.stores, &mut self.outputs, &mut self.record_counters);
            let result = entry.process(record, &mut Context::new(&mut shared, facts));
            shared.fault.map_or(result, Err)
        } else {
            let message = format!("timestamp {timestamp_ms} ms, the host's clock shows {} ms", now.wall_ms);
            Err(ProcessError::dead_letter("INVALID_TIMESTAMP", message))
        };
        match result {
            Ok(()) => self.counters.add_all(&self.record_counters),
            Err(error) => {
                if let Err(error) = self.refuse(at, now, error) {
                    // The record is not consumed, so it has not been seen either. A dead letter has.
                    self.stream_time_ms = stream_time_before_ms;
                    return Err(error);
                }
            }
        }
        self.last_timestamp_ms = timestamp_ms;
        if let Some(input) = self.inputs.get_mut(at) {
            input.advance();
        }
        Ok(())
    }

    /// Undoes the record in hand and emits its dead letter, or passes the error on.
    fn refuse(&mut self, at: usize, now: Now, error: ProcessError) -> Result<(), TaskError> {
        if !is(Mutant::UndoForgotten) {
            self.stores.overlay.undo_record();
            self.outputs.undo_record();
        }
        let Some(input) = self.inputs.get(at) else { return Ok(()) };
        let Some(record) = input.peek() else { return Ok(()) };
        let stops = self.poison_stops.contains(&input.topic);
        let sink = self.sub.dead_letter_sink().filter(|_| !stops);
        let (ProcessError::DeadLetter { code, message }, Some(sink)) = (&error, sink) else {
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
        match self.dead_letters_by_input.iter_mut().find(|known| known.0 == at && known.1 == *code) {
            Some(known) => known.2 += 1,
            None => self.dead_letters_by_input.push((at, code, 1)),
        }
        if !is(Mutant::LetterLost) {
            dead_letter::emit(&mut self.outputs, sink, record, &reason);
        }
        Ok(())
    }

    /// Lets the task stop before a record of `topics` that would become a dead letter.
    pub fn stop_on_poison(&mut self, topics: Vec<String>) {
        self.poison_stops = topics;
    }

    /// Returns the timestamp of the last processed record, ms since the epoch; -1 = none yet.
    #[must_use]
    pub fn last_timestamp_ms(&self) -> i64 {
        self.last_timestamp_ms
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
            let Some(punctuation) = self.punctuators.next_due(self.stream_time_ms, now.wall_ms) else {
                break;
            };
            self.stores.overlay.begin_record();
            self.outputs.begin_record(None);
            self.record_counters.reset();
            let facts = Facts {
                task: self.id,
                source: None,
                input_partitions: self.options.input_partitions,
                stream_time_ms: self.stream_time_ms,
                timestamp_ms: punctuation.scheduled_ms,
            };
            let mut shared = Shared::new(&mut self.stores, &mut self.outputs, &mut self.record_counters);
            let mut ctx = Context::new(&mut shared, facts);
            let failed =
                self.entries.iter_mut().find_map(|entry| match entry.punctuate(punctuation, &mut ctx) {
                    Ok(true) => Some(None),
                    Ok(false) => None,
                    Err(error) => Some(Some(error)),
                });
            if let Some(source) = shared.fault.or(failed.flatten()) {
                self.stores.overlay.undo_record();
                self.outputs.undo_record();
                let (punctuator, scheduled_ms) = (punctuation.id, punctuation.scheduled_ms);
                return Err(TaskError::Punctuator { task: self.id, punctuator, scheduled_ms, source });
            }
            self.counters.add_all(&self.record_counters);
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

    /// Says whether the open transaction has processed records, outputs or state changes, not moved offsets
    /// alone.
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
}
