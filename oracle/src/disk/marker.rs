//! The marker: store id 0 of the changelog and of every RocksDB.

use sha2::{Digest, Sha256};

use super::cursor::{Cursor, FormatError};

/// Key of the marker.
pub(crate) const MARKER_KEY: [u8; 2] = [0, 0];

const VERSION: u8 = 1;

/// Where a task stands in one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputOffset {
    pub(crate) topic: String,
    pub(crate) topic_id: [u8; 16],
    pub(crate) next_offset: i64,
}

/// What a store sums up about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) store: u16,
    pub(crate) live_keys: u64,
    pub(crate) sums: Vec<i128>,
}

/// A decoded marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) base: [u8; 16],
    /// Store ids and the hashes of id, name and codec.
    pub(crate) stores: Vec<(u16, [u8; 8])>,
    pub(crate) sequence: u64,
    pub(crate) inputs: Vec<InputOffset>,
    pub(crate) stream_time_ms: i64,
    pub(crate) punctuations: Vec<(u16, i64)>,
    pub(crate) tallies: Vec<Tally>,
}

impl Marker {
    /// Reads a marker's value.
    pub(crate) fn decode(value: &[u8]) -> Result<Marker, FormatError> {
        let mut bytes = Cursor::versioned(value, VERSION)?;
        let marker = Marker {
            base: bytes.array("base")?,
            stores: bytes.list("stores", |bytes| Ok((bytes.u16("store id")?, bytes.array("store hash")?)))?,
            sequence: bytes.u64("sequence")?,
            inputs: bytes.list("inputs", |bytes| {
                let topic = bytes.text("input topic")?.to_owned();
                let topic_id = bytes.array("topic id")?;
                Ok(InputOffset { topic, topic_id, next_offset: bytes.i64("next offset")? })
            })?,
            stream_time_ms: bytes.i64("stream time")?,
            punctuations: bytes.list("punctuations", |bytes| Ok((bytes.u16("id")?, bytes.i64("due")?)))?,
            tallies: bytes.list("tallies", |bytes| {
                let (store, live_keys) = (bytes.u16("tally store")?, bytes.u64("live keys")?);
                let sums = bytes.list("sums", |bytes| bytes.i128("sum"))?;
                Ok(Tally { store, live_keys, sums })
            })?,
        };
        bytes.end()?;
        Ok(marker)
    }

    /// Returns the next offset of an input; `None` when the marker does not know it.
    pub(crate) fn next_offset(&self, topic: &str) -> Option<i64> {
        self.inputs.iter().find(|input| input.topic == topic).map(|input| input.next_offset)
    }

    /// Returns the base hash of a topology over `inputs`, source and topic of each in order, partitioned by murmur2.
    pub(crate) fn base_of(inputs: [(&str, &str); 2]) -> [u8; 16] {
        let inputs: String =
            inputs.iter().map(|(source, topic)| format!("input {source} {topic}\n")).collect();
        first_bytes(&format!("millpond/2\n{inputs}partitioner murmur2\n"))
    }

    /// Returns the hash of a store.
    pub(crate) fn store_hash_of(id: u16, name: &str, codec: &str) -> [u8; 8] {
        first_bytes(&format!("{id} {name} {codec}"))
    }
}

fn first_bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(Sha256::digest(text)) {
        *to = from;
    }
    first
}
