//! Keys and the marker record of a changelog. Bytes: `docs/formats.md`.

use bincode::{Decode, Encode};

use crate::codec::{CodecError, append, decode_all};

/// Key of the marker, in the changelog and in the store.
pub const CHANGELOG_MARKER_KEY: [u8; 2] = [0, 0];

/// Version byte of the marker.
const MARKER_VERSION: u8 = 1;

/// Appends the changelog key of `key` in store `store` to `out`.
pub fn changelog_key(store: u16, key: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&store.to_be_bytes());
    out.extend_from_slice(key);
}

/// Splits a changelog key into store id and store key; `None` when it is too short.
#[must_use]
pub fn split_changelog_key(key: &[u8]) -> Option<(u16, &[u8])> {
    let (id, rest) = key.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*id), rest))
}

/// The identity of a topology as far as its state depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Fingerprint {
    /// First 16 bytes of SHA-256 over inputs and partitioner.
    pub base: [u8; 16],
    /// Per store its id and the first 8 bytes of SHA-256 over `id name codec`, by id.
    pub stores: Vec<(u16, [u8; 8])>,
}

impl Fingerprint {
    /// Says why state written under `written` cannot be used by a topology with this fingerprint, or `None`
    /// when it can: same inputs and partitioner, and every written store still there. Added stores are
    /// accepted.
    #[must_use]
    pub fn refuses(&self, written: &Self) -> Option<String> {
        if self.base != written.base {
            return Some("its inputs or its partitioner differ".to_owned());
        }
        written.stores.iter().find_map(|(id, hash)| match self.stores.iter().find(|(known, _)| known == id) {
            None => Some(format!("store {id} is no longer in the topology")),
            Some((_, known)) if known != hash => Some(format!("store {id} has another name or codec")),
            Some(_) => None,
        })
    }
}

/// An input topic's next offset as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct InputOffset {
    /// Topic name.
    pub topic: String,
    /// Topic id, as Kafka assigns it to each creation of a topic.
    pub topic_id: [u8; 16],
    /// Next offset to process.
    pub next_offset: i64,
}

/// Next due time of a punctuator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PunctuationDue {
    /// Punctuator id.
    pub id: u16,
    /// Due time, ms since the epoch (wall clock or stream time, by the punctuator's kind).
    pub due_ms: i64,
}

/// Live keys and sums of one store.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct StoreTally {
    /// Store id.
    pub store: u16,
    /// Keys that have a value.
    pub live_keys: u64,
    /// Sums over all values, in the order that the store declares.
    pub sums: Vec<i128>,
}

/// The record of store id 0, written in every transaction that sends offsets of its task.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Marker {
    /// Topology that wrote it.
    pub fingerprint: Fingerprint,
    /// Number of the task's transactions so far.
    pub sequence: u64,
    /// Exactly the offsets that its transaction sent, by topic name.
    pub inputs: Vec<InputOffset>,
    /// Greatest record timestamp seen, ms since the epoch; -1 = none.
    pub stream_time_ms: i64,
    /// Next due time of each punctuator.
    pub punctuations: Vec<PunctuationDue>,
    /// Tallies of the stores that keep one.
    pub tallies: Vec<StoreTally>,
}

/// Says why a marker cannot be used.
pub type MarkerError = CodecError;

impl Marker {
    /// Appends the encoding, version byte first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(MARKER_VERSION);
        append(self, out);
    }

    /// Decodes a marker.
    ///
    /// # Errors
    /// [`CodecError::UnknownVersion`] or [`CodecError::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MarkerError> {
        match bytes.split_first() {
            Some((&MARKER_VERSION, rest)) => decode_all(rest, "marker"),
            Some((&found, _)) => {
                Err(CodecError::UnknownVersion { codec: "marker", found, known: MARKER_VERSION })
            }
            None => Err(CodecError::malformed("marker", "empty value")),
        }
    }

    /// Returns the next offset of `topic`, if the marker knows the topic.
    #[must_use]
    pub fn next_offset(&self, topic: &str) -> Option<i64> {
        self.inputs.iter().find(|input| input.topic == topic).map(|input| input.next_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Marker {
        Marker {
            fingerprint: Fingerprint { base: [7; 16], stores: vec![(1, [1; 8]), (2, [2; 8])] },
            sequence: 5,
            inputs: vec![InputOffset { topic: "t".into(), topic_id: [9; 16], next_offset: 42 }],
            stream_time_ms: -1,
            punctuations: vec![PunctuationDue { id: 3, due_ms: 4 }],
            tallies: vec![StoreTally { store: 1, live_keys: 2, sums: vec![-3] }],
        }
    }

    #[test]
    fn marker_bytes_are_the_documented_ones() {
        let mut out = Vec::new();
        sample().encode(&mut out);
        let mut want = vec![1u8];
        want.extend([7; 16]);
        want.extend(2u64.to_le_bytes());
        want.extend(1u16.to_le_bytes());
        want.extend([1; 8]);
        want.extend(2u16.to_le_bytes());
        want.extend([2; 8]);
        want.extend(5u64.to_le_bytes());
        want.extend(1u64.to_le_bytes());
        want.extend(1u64.to_le_bytes());
        want.extend(b"t");
        want.extend([9; 16]);
        want.extend(42i64.to_le_bytes());
        want.extend((-1i64).to_le_bytes());
        want.extend(1u64.to_le_bytes());
        want.extend(3u16.to_le_bytes());
        want.extend(4i64.to_le_bytes());
        want.extend(1u64.to_le_bytes());
        want.extend(1u16.to_le_bytes());
        want.extend(2u64.to_le_bytes());
        want.extend(1u64.to_le_bytes());
        want.extend((-3i128).to_le_bytes());
        assert_eq!(out, want);
        assert_eq!(Marker::decode(&out), Ok(sample()));
    }

    #[test]
    fn unknown_versions_and_rubbish_are_refused() {
        let mut out = Vec::new();
        sample().encode(&mut out);
        out[0] = 9;
        assert!(matches!(Marker::decode(&out), Err(CodecError::UnknownVersion { found: 9, .. })));
        out[0] = 1;
        for cut in 0..out.len() {
            assert!(Marker::decode(&out[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn added_stores_are_accepted_and_others_refused() {
        let new = sample().fingerprint;
        let mut old = new.clone();
        old.stores.truncate(1);
        assert_eq!(new.refuses(&old), None);
        assert!(old.refuses(&new).is_some_and(|why| why.contains("store 2 is no longer")));
        let mut other = new.clone();
        other.stores[0].1 = [0; 8];
        assert!(new.refuses(&other).is_some_and(|why| why.contains("store 1 has another")));
        other.base = [0; 16];
        assert!(new.refuses(&other).is_some_and(|why| why.contains("inputs")));
    }
}
