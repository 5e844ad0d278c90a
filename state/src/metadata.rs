//! The metadata record of a store: whose it is and up to which changelog offset it is complete.

use bincode::{Decode, Encode};
use millpond_topology::{BincodeCodec, Codec, CodecError, Versioned};

use crate::identity::{Identity, StoreIdentity};

/// Whose a store is and what it holds. Bytes: `docs/formats.md`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Metadata {
    /// Application id.
    pub app: String,
    /// Name of the sub-topology.
    pub subtopology: String,
    /// Partition of the task.
    pub partition: u32,
    /// Partition count of every input topic.
    pub partition_count: u32,
    /// Name of the partitioner.
    pub partitioner: String,
    /// Stores by id.
    pub stores: Vec<StoreIdentity>,
    /// Changelog topic.
    pub changelog: String,
    /// Topic id of the changelog; all zeros until it is set.
    pub changelog_topic_id: [u8; 16],
    /// Next changelog offset to read: a lower bound of what the store holds.
    pub position: i64,
    /// Wall clock, ms since the epoch, at which the store was last known to lack nothing that a compacted
    /// changelog may since have dropped. Not renewed while a restore is under way; see [`is_stale`].
    pub written_wall_ms: i64,
}

impl Versioned for Metadata {
    const VERSION: u8 = 1;
    const NAME: &'static str = "store metadata";
}

impl Metadata {
    /// Returns the metadata of a store without content.
    pub(crate) fn of(identity: &Identity) -> Self {
        Self {
            app: identity.app.clone(),
            subtopology: identity.subtopology.clone(),
            partition: identity.partition,
            partition_count: identity.partition_count,
            partitioner: identity.partitioner.clone(),
            stores: identity.stores.clone(),
            changelog: identity.changelog.clone(),
            changelog_topic_id: [0; 16],
            position: 0,
            written_wall_ms: 0,
        }
    }

    /// Appends the encoding, version byte first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        BincodeCodec::new().encode(self, out);
    }

    /// Decodes metadata.
    ///
    /// # Errors
    /// [`CodecError::UnknownVersion`] for metadata of a newer program, else [`CodecError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        BincodeCodec::new().decode(bytes)
    }
}

/// Returns whether a store with this durable metadata may have missed tombstones, so that it must be rebuilt.
///
/// A tombstone is kept for `delete_retention_ms` (the changelog topic's `delete.retention.ms`) after it was
/// first compacted. A store that was away for longer would keep the deleted key for ever. Half of that time
/// leaves room for the restore itself. A time further than that in the future cannot be trusted either.
#[must_use]
pub fn is_stale(metadata: &Metadata, now_wall_ms: i64, delete_retention_ms: i64) -> bool {
    let limit = u64::try_from(delete_retention_ms / 2).unwrap_or(0);
    metadata.written_wall_ms.abs_diff(now_wall_ms) > limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        Metadata {
            app: "a".into(),
            subtopology: "s".into(),
            partition: 3,
            partition_count: 4,
            partitioner: "murmur2".into(),
            stores: vec![StoreIdentity { id: 1, name: "n".into(), codec: "c".into() }],
            changelog: "t".into(),
            changelog_topic_id: [9; 16],
            position: 77,
            written_wall_ms: -5,
        }
    }

    #[test]
    fn bytes_are_the_documented_ones() {
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.as_bytes());
        };
        let mut want = vec![1u8];
        text(&mut want, "a");
        text(&mut want, "s");
        want.extend(3u32.to_le_bytes());
        want.extend(4u32.to_le_bytes());
        text(&mut want, "murmur2");
        want.extend(1u64.to_le_bytes());
        want.extend(1u16.to_le_bytes());
        text(&mut want, "n");
        text(&mut want, "c");
        text(&mut want, "t");
        want.extend([9; 16]);
        want.extend(77i64.to_le_bytes());
        want.extend((-5i64).to_le_bytes());
        let mut out = Vec::new();
        sample().encode(&mut out);
        assert_eq!(out, want);
        assert_eq!(Metadata::decode(&out), Ok(sample()));
    }

    #[test]
    fn unknown_versions_and_rubbish_are_refused() {
        let mut out = Vec::new();
        sample().encode(&mut out);
        for cut in 0..out.len() {
            assert!(Metadata::decode(&out[..cut]).is_err(), "cut at {cut}");
        }
        out[0] = 2;
        assert!(matches!(Metadata::decode(&out), Err(CodecError::UnknownVersion { found: 2, known: 1, .. })));
    }

    #[test]
    fn a_store_is_stale_after_half_the_retention_of_tombstones() {
        let mut metadata = sample();
        metadata.written_wall_ms = 1_000;
        assert!(!is_stale(&metadata, 1_000, 100));
        assert!(!is_stale(&metadata, 1_050, 100));
        assert!(is_stale(&metadata, 1_051, 100));
        assert!(is_stale(&metadata, 949, 100), "a time in the future is no better");
        metadata.written_wall_ms = i64::MIN;
        assert!(is_stale(&metadata, i64::MAX, i64::MAX), "no overflow");
    }
}
