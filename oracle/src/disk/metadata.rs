//! The metadata record of a RocksDB.

use super::cursor::{Cursor, FormatError};

/// Key of the metadata.
pub(crate) const METADATA_KEY: [u8; 3] = [0, 0, 1];

const VERSION: u8 = 1;

/// A decoded metadata record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) app: String,
    pub(crate) subtopology: String,
    pub(crate) partition: u32,
    pub(crate) partition_count: u32,
    pub(crate) partitioner: String,
    /// Id, name and codec of every store.
    pub(crate) stores: Vec<(u16, String, String)>,
    pub(crate) changelog: String,
    pub(crate) changelog_topic_id: [u8; 16],
    /// Next changelog offset to read: a lower bound of what the store holds.
    pub(crate) position: i64,
    pub(crate) written_wall_ms: i64,
}

impl Metadata {
    /// Reads a metadata value.
    pub(crate) fn decode(value: &[u8]) -> Result<Metadata, FormatError> {
        let mut bytes = Cursor::versioned(value, VERSION)?;
        let metadata = Metadata {
            app: bytes.text("app")?.to_owned(),
            subtopology: bytes.text("subtopology")?.to_owned(),
            partition: bytes.u32("partition")?,
            partition_count: bytes.u32("partition count")?,
            partitioner: bytes.text("partitioner")?.to_owned(),
            stores: bytes.list("stores", |bytes| {
                let (id, name) = (bytes.u16("store id")?, bytes.text("store name")?.to_owned());
                Ok((id, name, bytes.text("store codec")?.to_owned()))
            })?,
            changelog: bytes.text("changelog")?.to_owned(),
            changelog_topic_id: bytes.array("changelog topic id")?,
            position: bytes.i64("position")?,
            written_wall_ms: bytes.i64("written")?,
        };
        bytes.end()?;
        Ok(metadata)
    }
}
