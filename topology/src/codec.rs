//! Codecs of store keys and store values.
//!
//! A store value begins with a version byte; an unknown version is refused, never wiped. The default codec is bincode in
//! its fixed-width little-endian configuration; the [`Codec`] trait lets it be replaced. See `docs/formats.md`.

use std::marker::PhantomData;

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::{Decode, Encode};

/// The bincode configuration of everything that millpond writes: little-endian, fixed width.
pub const FIXED: Configuration<LittleEndian, Fixint> = bincode::config::legacy();

/// Says why stored bytes cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The version byte is not one that this program knows: it was written by a newer one.
    #[error("unknown version {found} of {codec} (known up to {known}): run the program that wrote it, or a newer one")]
    UnknownVersion {
        /// Codec name.
        codec: &'static str,
        /// Version byte found.
        found: u8,
        /// Highest known version.
        known: u8,
    },
    /// The bytes do not hold what the version promises.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// What was decoded.
        what: &'static str,
        /// What was found.
        why: String,
    },
}

impl CodecError {
    /// Returns a [`CodecError::Malformed`].
    pub fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed { what, why: why.into() }
    }
}

/// Encodes and decodes the values of a store.
pub trait Codec: Send + Sync + 'static {
    /// The decoded value.
    type Value;
    /// Name in the topology hash: changes when the bytes' meaning changes incompatibly.
    const NAME: &'static str;

    /// Appends the encoding of `value`, version byte first.
    fn encode(&self, value: &Self::Value, out: &mut Vec<u8>);

    /// Decodes a stored value.
    ///
    /// # Errors
    /// [`CodecError::UnknownVersion`] for a version byte from the future, else [`CodecError::Malformed`].
    fn decode(&self, bytes: &[u8]) -> Result<Self::Value, CodecError>;
}

/// A value with a current version and, where there were some, older ones.
pub trait Versioned: Encode + Decode<()> + 'static {
    /// Version byte written today, at least 1.
    const VERSION: u8;
    /// Name of the codec in the topology hash.
    const NAME: &'static str;

    /// Decodes the bytes (after the version byte) of an older version.
    ///
    /// # Errors
    /// [`CodecError::UnknownVersion`] unless overridden for `version`.
    fn decode_older(version: u8, _bytes: &[u8]) -> Result<Self, CodecError> {
        Err(CodecError::UnknownVersion { codec: Self::NAME, found: version, known: Self::VERSION })
    }
}

/// The default codec: version byte, then bincode.
pub struct BincodeCodec<T>(PhantomData<fn() -> T>);

impl<T> BincodeCodec<T> {
    /// Returns the codec of `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for BincodeCodec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for BincodeCodec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for BincodeCodec<T> {}

/// Lets bincode append to a `Vec` without a buffer of its own.
struct Append<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Append<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends the bincode encoding of `value` in the fixed configuration.
pub(crate) fn append<T: Encode>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if bincode::encode_into_writer(value, Append(out), FIXED).is_err() {
        // Appending to memory cannot fail; were it to, an empty value is refused when read.
        out.truncate(start);
    }
}

/// Decodes all of `bytes`, refusing trailing ones.
pub(crate) fn decode_all<T: Decode<()>>(bytes: &[u8], what: &'static str) -> Result<T, CodecError> {
    let limited = FIXED.with_limit::<{ 16 * 1024 * 1024 }>();
    match bincode::decode_from_slice::<T, _>(bytes, limited) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok((_, read)) => Err(CodecError::malformed(what, format!("{} trailing bytes", bytes.len() - read))),
        Err(error) => Err(CodecError::malformed(what, error.to_string())),
    }
}

impl<T: Versioned> Codec for BincodeCodec<T> {
    type Value = T;
    const NAME: &'static str = T::NAME;

    fn encode(&self, value: &T, out: &mut Vec<u8>) {
        out.push(T::VERSION);
        append(value, out);
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        match bytes.split_first() {
            None => Err(CodecError::malformed(T::NAME, "empty value")),
            Some((&version, rest)) if version == T::VERSION => decode_all(rest, T::NAME),
            Some((&version, rest)) => T::decode_older(version, rest),
        }
    }
}

/// Encodes and decodes the keys of a store. Byte order is the order of scans.
pub trait KeyCodec: Send + Sync + 'static {
    /// The decoded key; may borrow.
    type Key<'k>;

    /// Appends the encoding of `key`.
    fn encode(&self, key: &Self::Key<'_>, out: &mut Vec<u8>);

    /// Decodes a stored key.
    ///
    /// # Errors
    /// [`CodecError::Malformed`].
    fn decode<'k>(&self, bytes: &'k [u8]) -> Result<Self::Key<'k>, CodecError>;
}

/// A `u64` key, big-endian.
#[derive(Debug, Clone, Copy, Default)]
pub struct U64Key;

impl KeyCodec for U64Key {
    type Key<'k> = u64;
    fn encode(&self, key: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.to_be_bytes());
    }
    fn decode<'k>(&self, bytes: &'k [u8]) -> Result<u64, CodecError> {
        bytes.try_into().map(u64::from_be_bytes).map_err(|_| CodecError::malformed("u64 key", "not 8 bytes"))
    }
}

/// A pair of `u64`, both big-endian; a scan by the first is a prefix scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct U64PairKey;

impl KeyCodec for U64PairKey {
    type Key<'k> = (u64, u64);
    fn encode(&self, key: &(u64, u64), out: &mut Vec<u8>) {
        out.extend_from_slice(&key.0.to_be_bytes());
        out.extend_from_slice(&key.1.to_be_bytes());
    }
    fn decode<'k>(&self, bytes: &'k [u8]) -> Result<(u64, u64), CodecError> {
        let (first, second) =
            bytes.split_first_chunk::<8>().ok_or_else(|| CodecError::malformed("u64 pair key", "under 8 bytes"))?;
        let second: [u8; 8] =
            second.try_into().map_err(|_| CodecError::malformed("u64 pair key", "not 16 bytes"))?;
        Ok((u64::from_be_bytes(*first), u64::from_be_bytes(second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Encode, Decode)]
    struct Sample {
        amount: i64,
        name: String,
        tags: Vec<String>,
    }

    impl Versioned for Sample {
        const VERSION: u8 = 2;
        const NAME: &'static str = "sample";
        fn decode_older(version: u8, bytes: &[u8]) -> Result<Self, CodecError> {
            match version {
                1 => decode_all::<i64>(bytes, "sample v1").map(|amount| Self {
                    amount,
                    name: String::new(),
                    tags: Vec::new(),
                }),
                found => Err(CodecError::UnknownVersion { codec: Self::NAME, found, known: Self::VERSION }),
            }
        }
    }

    #[test]
    fn bytes_are_the_documented_ones() {
        let mut out = Vec::new();
        let codec = BincodeCodec::<Sample>::new();
        let value = Sample { amount: -2, name: "ab".into(), tags: vec![] };
        codec.encode(&value, &mut out);
        let mut want = vec![2u8];
        want.extend((-2i64).to_le_bytes());
        want.extend(2u64.to_le_bytes());
        want.extend(b"ab");
        want.extend(0u64.to_le_bytes());
        assert_eq!(out, want);
        assert_eq!(codec.decode(&out), Ok(value));
    }

    #[test]
    fn older_versions_are_upgraded_and_unknown_ones_refused() {
        let codec = BincodeCodec::<Sample>::new();
        let mut old = vec![1u8];
        old.extend(7i64.to_le_bytes());
        assert_eq!(codec.decode(&old).map(|s| s.amount), Ok(7));
        old[0] = 3;
        assert!(matches!(codec.decode(&old), Err(CodecError::UnknownVersion { found: 3, known: 2, .. })));
        assert!(matches!(codec.decode(&[]), Err(CodecError::Malformed { .. })));
        old[0] = 1;
        old.push(0);
        assert!(matches!(codec.decode(&old), Err(CodecError::Malformed { .. })), "trailing bytes are refused");
    }

    #[test]
    fn a_length_from_outside_cannot_exhaust_memory() {
        let mut bytes = vec![2u8];
        bytes.extend(0i64.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(matches!(BincodeCodec::<Sample>::new().decode(&bytes), Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn pair_keys_sort_by_first_then_second() {
        let encode = |key| {
            let mut out = Vec::new();
            U64PairKey.encode(&key, &mut out);
            out
        };
        assert!(encode((1, u64::MAX)) < encode((2, 0)));
        assert!(encode((256, 1)) > encode((255, 2)));
        assert_eq!(U64PairKey.decode(&encode((3, 4))), Ok((3, 4)));
        assert!(U64PairKey.decode(&[0; 15]).is_err());
    }
}
