//! What a processor can do besides looking at its record.

use crate::builder::SinkRef;
use crate::error::{ProcessError, SerializeError, StoreError};
use crate::serdes::Serializer;
use crate::store::StoreSet;
use crate::task::{Counters, Outputs};
use crate::task_id::TaskId;

/// Where the record being processed comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcePosition<'a> {
    /// Input topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
}

/// The part of the context that every node of a chain shares.
pub(crate) struct Shared<'a> {
    pub(crate) stores: &'a mut StoreSet,
    pub(crate) outputs: &'a mut Outputs,
    pub(crate) counters: &'a mut Counters,
    pub(crate) output_index: u32,
    /// What a processor did that must not become visible, though it did not say so itself.
    pub(crate) fault: Option<ProcessError>,
}

impl<'a> Shared<'a> {
    /// Returns what the nodes share for one record or punctuation.
    pub(crate) fn new(
        stores: &'a mut StoreSet,
        outputs: &'a mut Outputs,
        counters: &'a mut Counters,
    ) -> Self {
        Self { stores, outputs, counters, output_index: 0, fault: None }
    }
}

/// The stores and sinks that a processor is connected to: (sub-topology, store id) and (sub-topology, sink
/// index).
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    pub(crate) stores: Vec<(u32, u16)>,
    pub(crate) sinks: Vec<(u32, usize)>,
}

/// What a source is connected to.
static NOTHING: Reach = Reach { stores: Vec::new(), sinks: Vec::new() };

/// The circumstances of the record in hand.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) task: TaskId,
    pub(crate) source: Option<SourcePosition<'a>>,
    pub(crate) input_partitions: u32,
    pub(crate) stream_time_ms: i64,
    pub(crate) timestamp_ms: i64,
}

/// Gives a processor its stores, sinks and circumstances while it handles one record or punctuation.
pub struct Context<'a> {
    shared: &'a mut dyn SharedAccess,
    reach: &'a Reach,
    facts: Facts<'a>,
}

/// Hides the inner lifetime of [`Shared`], so that processors see one lifetime only.
pub(crate) trait SharedAccess {
    fn stores(&mut self) -> &mut StoreSet;
    fn emit(&mut self, sink: usize, timestamp_ms: i64, write: &mut dyn FnMut(Part, &mut Vec<u8>));
    fn count(&mut self, name: &'static str, n: u64);
    fn next_index(&mut self) -> u32;
    fn fail(&mut self, fault: ProcessError);
}

/// Which part of an output is to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
}

impl SharedAccess for Shared<'_> {
    fn stores(&mut self) -> &mut StoreSet {
        self.stores
    }
    fn emit(&mut self, sink: usize, timestamp_ms: i64, write: &mut dyn FnMut(Part, &mut Vec<u8>)) {
        self.outputs.emit(sink, timestamp_ms, write);
    }
    fn count(&mut self, name: &'static str, n: u64) {
        self.counters.add(name, n);
    }
    fn next_index(&mut self) -> u32 {
        let index = self.output_index;
        self.output_index += 1;
        index
    }
    fn fail(&mut self, fault: ProcessError) {
        self.fault.get_or_insert(fault);
    }
}

impl<'a> Context<'a> {
    pub(crate) fn new(shared: &'a mut dyn SharedAccess, facts: Facts<'a>) -> Self {
        Self { shared, reach: &NOTHING, facts }
    }

    /// Returns a context for a node that may use `reach`.
    pub(crate) fn within<'b>(&'b mut self, reach: &'b Reach) -> Context<'b> {
        Context { shared: &mut *self.shared, reach, facts: self.facts }
    }

    pub(crate) fn stores(&mut self, store: (u32, u16)) -> Result<&mut StoreSet, StoreError> {
        if self.reach.stores.contains(&store) {
            Ok(self.shared.stores())
        } else {
            Err(StoreError::NotConnected { store: store.1 })
        }
    }

    pub(crate) fn emit(
        &mut self,
        sink: usize,
        timestamp_ms: i64,
        key: impl Fn(&mut Vec<u8>) -> Result<(), SerializeError>,
        value: impl Fn(&mut Vec<u8>) -> Result<(), SerializeError>,
    ) -> Result<(), SerializeError> {
        let mut result = Ok(());
        self.shared.emit(sink, timestamp_ms, &mut |part, out| {
            let written = match part {
                Part::Key => key(out),
                Part::Value => value(out),
            };
            if written.is_err() {
                result = written;
            }
        });
        result
    }

    /// Sends a record to a sink with the current record's timestamp. Its partition is murmur2 of the key; a
    /// `traceparent` header travels along. It becomes visible with the transaction, or not at all.
    ///
    /// A sink that the processor does not name with [`crate::ProcessorSpec::sends_to`], or a value that
    /// cannot be serialized, stops the task: the record is undone.
    pub fn send<KS, VS, K: ?Sized, V: ?Sized>(&mut self, sink: &SinkRef<KS, VS>, key: &K, value: &V)
    where
        KS: Serializer<K>,
        VS: Serializer<V>,
    {
        let address = sink.address();
        if !self.reach.sinks.contains(&address) {
            let message =
                format!("sink `{}` is not connected to this processor: name it by `sends_to`", sink.name());
            self.shared.fail(ProcessError::Stop { message });
            return;
        }
        let timestamp_ms = self.timestamp_ms();
        let emitted = self.emit(
            address.1,
            timestamp_ms,
            |out| sink.key_serde().try_serialize(key, out),
            |out| sink.value_serde().try_serialize(value, out),
        );
        if let Err(error) = emitted {
            let message = format!("sink `{}`: output {error}", sink.name());
            self.shared.fail(ProcessError::Stop { message });
        }
    }

    /// Returns the task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.facts.task
    }

    /// Returns where the current record comes from; `None` in a punctuator.
    #[must_use]
    pub fn source(&self) -> Option<SourcePosition<'a>> {
        self.facts.source
    }

    /// Returns the partition count of the input topics.
    #[must_use]
    pub fn input_partitions(&self) -> u32 {
        self.facts.input_partitions
    }

    /// Returns the greatest record timestamp seen by the task, this record included, ms since the epoch; -1 =
    /// none.
    #[must_use]
    pub fn stream_time_ms(&self) -> i64 {
        self.facts.stream_time_ms
    }

    /// Returns the current record's timestamp or the punctuator's scheduled time, ms since the epoch.
    #[must_use]
    pub fn timestamp_ms(&self) -> i64 {
        self.facts.timestamp_ms
    }

    /// Returns 0, 1, 2, ... for the outputs of the current record or punctuation: part of an output's
    /// identity.
    pub fn next_output_index(&mut self) -> u32 {
        self.shared.next_index()
    }

    /// Counts `n` of something, by a name from a closed list. Counted when the transaction is applied, so
    /// that a redo does not count twice.
    pub fn count(&mut self, name: &'static str, n: u64) {
        self.shared.count(name, n);
    }
}
