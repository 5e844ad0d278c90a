//! What users write: processors.

use crate::context::Context;
use crate::error::ProcessError;
use crate::node::Child;
use crate::record::Record;

/// A type constructor: the type of a key or value for each lifetime of the bytes it borrows from.
pub trait Data: 'static {
    /// The type for one lifetime.
    type Of<'a>;
}

/// Data that borrows nothing.
pub struct Owned<T>(std::marker::PhantomData<T>);

impl<T: 'static> Data for Owned<T> {
    type Of<'a> = T;
}

/// No data: the output types of a processor that forwards nothing to children.
pub type NoData = Owned<()>;

/// Which clock drives a punctuator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PunctuationClock {
    /// The greatest record timestamp seen by the task.
    StreamTime,
    /// The host's wall clock. Only the scheduled time reaches the processor.
    WallClock,
}

/// A punctuator of a processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PunctuatorSpec {
    /// Id, unique in the sub-topology and stable: its due time is part of the state.
    pub id: u16,
    /// The clock that drives it.
    pub clock: PunctuationClock,
    /// Interval between two calls, ms, at least 1.
    pub interval_ms: i64,
}

/// A call of a punctuator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Punctuation {
    /// Id of the punctuator.
    pub id: u16,
    /// The time it was scheduled for, ms since the epoch. Depends on no clock, so that a replay gives
    /// identical bytes.
    pub scheduled_ms: i64,
}

/// Processes the records of one sub-topology node.
///
/// One instance exists per task. State that must survive lives in stores: fields of the processor are scratch
/// space and are not undone when a transaction aborts.
///
/// ```
/// use millpond_topology::{Child, Context, Decoded, NoData, ProcessError, Processor, Record, Str};
///
/// struct Print;
///
/// impl Processor for Print {
///     type KeyIn = Decoded<Str>;
///     type ValueIn = Decoded<Str>;
///     type KeyOut = NoData;
///     type ValueOut = NoData;
///
///     fn process<'a>(
///         &mut self,
///         record: &Record<'a, &'a str, &'a str>,
///         _ctx: &mut Context<'_>,
///         _children: &mut impl Child<NoData, NoData>,
///     ) -> Result<(), ProcessError> {
///         println!("{} = {}", record.key, record.value);
///         Ok(())
///     }
/// }
/// ```
pub trait Processor: Send + 'static {
    /// Key as decoded by the source or forwarded by the parent.
    type KeyIn: Data;
    /// Value as decoded by the source or forwarded by the parent.
    type ValueIn: Data;
    /// Key forwarded to children.
    type KeyOut: Data;
    /// Value forwarded to children.
    type ValueOut: Data;

    /// Processes one record: reads and writes stores, sends to sinks, forwards to children.
    ///
    /// # Errors
    /// [`ProcessError`] says what becomes of the record; its effects so far are undone in every case.
    fn process<'a>(
        &mut self,
        record: &Record<'a, <Self::KeyIn as Data>::Of<'a>, <Self::ValueIn as Data>::Of<'a>>,
        ctx: &mut Context<'_>,
        children: &mut impl Child<Self::KeyOut, Self::ValueOut>,
    ) -> Result<(), ProcessError>;

    /// Handles a punctuator declared in the topology.
    ///
    /// # Errors
    /// [`ProcessError`]; a dead letter makes no sense here and stops the task.
    fn punctuate(
        &mut self,
        _punctuation: Punctuation,
        _ctx: &mut Context<'_>,
        _children: &mut impl Child<Self::KeyOut, Self::ValueOut>,
    ) -> Result<(), ProcessError> {
        Ok(())
    }
}
