//! The vocabulary, contracts and execution of millpond: pure, without clock, thread, Kafka or disk.
//!
//! A [`Topology`] is built once by a [`Builder`] and validated; a [`Task`] executes one of its sub-topologies
//! for one partition. The same task runs under the real Kafka, under the broker-free [`TestDriver`] and under
//! a simulator.

mod builder;
mod changelog;
mod codec;
mod context;
mod describe;
mod driver;
mod error;
mod graph;
mod key;
mod node;
mod partitioner;
mod processor;
mod record;
mod serdes;
mod store;
mod task;
mod task_id;
mod time;
mod validate;

pub use builder::{Builder, NodeSpec, ProcessorSpec, SinkRef, SourceSpec, SubBuilder, processor};
pub use changelog::{
    CHANGELOG_MARKER_KEY, Fingerprint, InputOffset, Marker, MarkerError, PunctuationDue, StoreTally,
    changelog_key, split_changelog_key,
};
pub use codec::{BincodeCodec, Codec, CodecError, FIXED, Versioned};
pub use context::{Context, SourcePosition};
pub use describe::Describe;
pub use driver::{DriverError, OutputRecord, TestDriver};
pub use error::{DecodeError, ProcessError, SerializeError, StoreError, TaskError, TopologyError};
pub use graph::{ProcessorInfo, SinkInfo, SourceInfo, StoreInfo, SubTopology, Topology};
pub use key::{BytesKey, KeyCodec, StrKey, U64Key, U64PairKey};
pub use node::{Child, Leaf, ProcessorNode, SinkNode};
pub use partitioner::{murmur2, partition_for};
pub use processor::{Data, NoData, Owned, Processor, Punctuation, PunctuationClock, PunctuatorSpec};
pub use record::{Headers, OwnedRecord, RawRecord, Record};
pub use serdes::{Bytes, Decoded, Deserializer, I64Be, Json, Nullable, Serializer, Str, U64Be};
pub use store::{
    KeyValueStore, MemoryState, Overlay, StateReader, StoreSpec, TALLY_SUMS, Tally, Visit, scan_bounds,
};
pub use task::{
    Applied, Counters, InputState, OffsetToSend, OutputRun, OutputView, Restored, Sealed, Task, TaskOptions,
};
pub use task_id::{ParseTaskIdError, TaskId};
pub use time::Now;
