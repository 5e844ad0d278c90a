//! What can go wrong in a topology, by what the engine must do about it.

use std::borrow::Cow;

use crate::codec::CodecError;
use crate::task_id::TaskId;

/// Says why a record's key or value cannot be decoded. The record becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct DecodeError {
    /// Stable reason code, SCREAMING_SNAKE, from a closed list.
    pub code: &'static str,
    /// What was found, for a person.
    pub message: Cow<'static, str>,
}

impl DecodeError {
    /// Returns an error with a reason code and a text.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Says why a value cannot be serialized. The task stops: an output that is wrong must not become visible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot be serialized: {message}")]
pub struct SerializeError {
    /// What the serializer found.
    pub message: String,
}

impl SerializeError {
    /// Returns an error with a text.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Says what becomes of a record that a processor could not process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// The record itself is wrong: it goes to the dead-letter topic, its effects so far are undone.
    #[error("dead letter {code}: {message}")]
    DeadLetter {
        /// Stable reason code.
        code: &'static str,
        /// What was found, for a person.
        message: Cow<'static, str>,
    },
    /// Going on would be wrong (a stored value breaks an invariant): the process stops.
    #[error("stop: {message}")]
    Stop {
        /// What was found and what to do.
        message: String,
    },
    /// A passing fault: the record's effects so far are undone and it is tried again later.
    #[error("retry: {message}")]
    Retry {
        /// What was found.
        message: String,
    },
    /// The state store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProcessError {
    /// Returns a dead letter with a reason code and a text.
    pub fn dead_letter(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::DeadLetter { code, message: message.into() }
    }
}

impl From<DecodeError> for ProcessError {
    fn from(error: DecodeError) -> Self {
        Self::DeadLetter { code: error.code, message: error.message }
    }
}

/// Says why a state store could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The storage below failed; `message` is its own text.
    #[error("state store: {message}")]
    Storage {
        /// Text of the storage engine.
        message: String,
    },
    /// A stored key or value cannot be decoded.
    #[error("store {store}: {source}")]
    Codec {
        /// Store id.
        store: u16,
        /// What the codec found.
        source: CodecError,
    },
    /// A processor used a store that it was not connected to in the topology.
    #[error("store {store} is not connected to this processor: add `.store(&handle)` to it in the topology")]
    NotConnected {
        /// Store id.
        store: u16,
    },
}

/// Says why a task cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// A processor asked to stop, or a store failed, at this record.
    #[error("task {task}, {topic}-{partition}@{offset}: {source}")]
    Record {
        /// The task.
        task: TaskId,
        /// Input topic.
        topic: String,
        /// Input partition.
        partition: u32,
        /// Offset of the record.
        offset: i64,
        /// What the processor said.
        source: ProcessError,
    },
    /// A punctuator failed.
    #[error("task {task}, punctuator {punctuator} scheduled for {scheduled_ms} ms: {source}")]
    Punctuator {
        /// The task.
        task: TaskId,
        /// Punctuator id.
        punctuator: u16,
        /// Its scheduled time, ms since the epoch.
        scheduled_ms: i64,
        /// What the processor said.
        source: ProcessError,
    },
    /// The task was handed something it does not have.
    #[error("task {task}: {message}")]
    Misuse {
        /// The task.
        task: TaskId,
        /// What was asked.
        message: String,
    },
}

/// Says what is wrong with a topology; every message names the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// A name is empty or has characters that topic names cannot have.
    #[error("{kind} name `{name}` is not allowed: use 1 to {max} of [a-zA-Z0-9._-], not `.` or `..`")]
    Name {
        /// What is named.
        kind: &'static str,
        /// The name.
        name: String,
        /// Longest name allowed, characters.
        max: usize,
    },
    /// Two nodes, or two stores, of one topology have the same name.
    #[error("the name `{name}` is used twice; names are unique within a topology")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A store id is 0 (the marker's) or used twice.
    #[error(
        "store `{name}` has id {id}, which is {why}; \
         ids are at least 1, unique in a sub-topology and never reused"
    )]
    StoreId {
        /// The store.
        name: String,
        /// Its id.
        id: u16,
        /// Reserved, or used by which store.
        why: String,
    },
    /// A node refers to a store or sink of another sub-topology.
    #[error("node `{node}` uses {kind} `{name}`, which is not part of its sub-topology `{subtopology}`")]
    Foreign {
        /// The source or processor.
        node: String,
        /// `store` or `sink`.
        kind: &'static str,
        /// The sink, or the store's id.
        name: String,
        /// Sub-topology of the node.
        subtopology: String,
    },
    /// A source has no topic, or a topic is read by two sources of the same topology.
    #[error("source `{node}`: {why}")]
    Source {
        /// The source.
        node: String,
        /// What is wrong.
        why: String,
    },
    /// A store or sink is connected to nothing.
    #[error("{kind} `{name}` is connected to no processor")]
    Unused {
        /// `store` or `sink`.
        kind: &'static str,
        /// The store or sink.
        name: String,
    },
    /// A store's tally names more sums than it can keep, or the store is not of this sub-topology.
    #[error("store `{store}`: {why}")]
    Tally {
        /// The store, or its id when it is of another sub-topology.
        store: String,
        /// What is wrong.
        why: String,
    },
    /// A punctuator id is used twice, or its interval is zero.
    #[error("processor `{node}`, punctuator {id}: {why}")]
    Punctuator {
        /// The processor.
        node: String,
        /// Punctuator id.
        id: u16,
        /// What is wrong.
        why: String,
    },
    /// A sub-topology has no source.
    #[error("sub-topology `{name}` has no source")]
    NoSource {
        /// The sub-topology.
        name: String,
    },
}
