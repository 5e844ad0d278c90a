//! The end of a task's transaction: sealed, then applied or rolled back.

use millpond_mutants::{Mutant, is};

use super::input::Input;
use super::outputs::OutputRun;
use super::seal::{Applied, Sealed};
use crate::changelog::{InputOffset, Marker};
use crate::error::TaskError;
use crate::record::RawRecord;
use crate::task::Task;

/// The content of a sealed transaction.
#[derive(Debug)]
pub(super) struct SealedParts {
    pub(super) marker: Marker,
    pub(super) bytes: Vec<u8>,
}

impl<R: RawRecord> Task<R> {
    /// Ends the open transaction's content: nothing more is processed until it is applied or rolled back.
    pub fn seal(&mut self) -> Sealed<'_, R> {
        if self.sealed.is_none() {
            self.stores.overlay.sort_written(&mut self.order);
            if is(Mutant::PromotedEarly) {
                self.stores.hold(&self.order);
            }
            let mut parts = self.spare.take().unwrap_or_else(|| self.new_parts());
            let marker = &mut parts.marker;
            for known in &mut marker.inputs {
                if let Some(input) = self.inputs.iter().find(|input| input.topic == known.topic) {
                    // Committed offsets never decrease.
                    known.next_offset = input.next_offset().max(input.applied());
                    known.next_offset += i64::from(is(Mutant::OffsetAhead));
                }
            }
            marker.sequence = self.sequence + 1;
            marker.stream_time_ms = self.stream_time_ms;
            marker.punctuations = self.punctuators.due();
            self.stores.tallies_into(&mut marker.tallies);
            parts.bytes.clear();
            if is(Mutant::MarkerBehind) {
                let mut behind = marker.clone();
                for known in &mut behind.inputs {
                    let input = self.inputs.iter().find(|input| input.topic == known.topic);
                    known.next_offset = input.map_or(known.next_offset, Input::applied);
                }
                behind.encode(&mut parts.bytes);
            } else {
                marker.encode(&mut parts.bytes);
            }
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
            return Err(TaskError::Misuse {
                task: self.id,
                message: "apply without a sealed transaction".into(),
            });
        };
        let mut applied = Applied {
            records: self.inputs.iter().map(|input| input.held() as u64).sum(),
            outputs: self.outputs.records() as u64,
            images: self.stores.overlay.written() as u64,
            counters: self.counters.clone(),
            dead_letters: self.dead_letters.clone(),
            ..Applied::default()
        };
        for &(input, code, count) in &self.dead_letters_by_input {
            if let Some(input) = self.inputs.get(input) {
                applied.dead_letters_by_topic.push((input.topic.clone(), code, count));
            }
        }
        for (topic, _, run) in self.output_runs() {
            let (records, bytes) = (run.len() as u64, run.bytes() as u64);
            match applied.outputs_by_topic.iter_mut().find(|(known, _, _)| known == topic) {
                Some(sum) => (sum.1, sum.2) = (sum.1 + records, sum.2 + bytes),
                None => applied.outputs_by_topic.push((topic.to_owned(), records, bytes)),
            }
        }
        // One in 64 and the last of each input.
        applied
            .timestamps_ms
            .reserve(usize::try_from(applied.records).unwrap_or(0) / 64 + 2 * self.inputs.len());
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
        self.stores.promote(&mut parts.marker.tallies, &self.order);
        self.spare = Some(parts);
        self.clear();
        Ok(applied)
    }

    /// Takes back everything since the last applied transaction; the records are processed again from memory.
    pub fn rollback(&mut self) {
        self.spare = self.sealed.take().or(self.spare.take());
        if !is(Mutant::NoRedo) {
            self.inputs.iter_mut().for_each(Input::rewind);
        }
        self.stream_time_ms = self.committed_stream_time_ms;
        self.punctuators.rollback();
        if !is(Mutant::OverlayKept) {
            self.stores.overlay.clear();
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.outputs.clear();
        self.counters.reset();
        self.dead_letters.reset();
        self.dead_letters_by_input.clear();
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
