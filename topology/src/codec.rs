//! Codecs of store values.
//!
//! A store value begins with a version byte; an unknown version is refused, never wiped. The default codec is
//! bincode in its fixed-width little-endian configuration; the [`Codec`] trait lets it be replaced. See
//! `docs/formats.md`.

use std::marker::PhantomData;

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::{Decode, Encode};

/// The bincode configuration of everything that millpond writes: little-endian, fixed width.
pub const FIXED: Configuration<LittleEndian, Fixint> = bincode::config::legacy();

/// Says why stored bytes cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The version byte is not one that this program knows: it was written by a newer one.
    #[error(
        "unknown version {found} of {codec} (known up to {known}): \
         run the program that wrote it, or a newer one"
    )]
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

    /// Appends the encoding of `value` like [`Codec::encode`], for codecs that can fail: what cannot be read
    /// back must not reach the changelog. This is what stores call.
    ///
    /// # Errors
    /// [`CodecError::Malformed`]; what was appended so far is not used.
    fn try_encode(&self, value: &Self::Value, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.encode(value, out);
        Ok(())
    }

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

    fn try_encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.push(T::VERSION);
        bincode::encode_into_writer(value, Append(out), FIXED)
            .map_err(|error| CodecError::malformed(T::NAME, format!("value to encode: {error}")))
    }

    fn decode(&self, bytes: &[u8]) -> Result<T, CodecError> {
        match bytes.split_first() {
            None => Err(CodecError::malformed(T::NAME, "empty value")),
            Some((&version, rest)) if version == T::VERSION => decode_all(rest, T::NAME),
            Some((&version, rest)) => T::decode_older(version, rest),
        }
    }
}

macro_rules! plain {
    ($type:ty, $name:literal) => {
        impl Versioned for $type {
            const VERSION: u8 = 1;
            const NAME: &'static str = $name;
        }
    };
}

plain!(u64, "u64");
plain!(i64, "i64");
plain!(String, "string");

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
        assert!(
            matches!(codec.decode(&old), Err(CodecError::Malformed { .. })),
            "trailing bytes are refused"
        );
    }

    #[test]
    fn a_length_from_outside_cannot_exhaust_memory() {
        let mut bytes = vec![2u8];
        bytes.extend(0i64.to_le_bytes());
        bytes.extend(u64::MAX.to_le_bytes());
        assert!(matches!(BincodeCodec::<Sample>::new().decode(&bytes), Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn plain_values_have_a_version_too() {
        let mut out = Vec::new();
        BincodeCodec::<i64>::new().encode(&-2, &mut out);
        assert_eq!(out, [1, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(BincodeCodec::<i64>::new().decode(&out), Ok(-2));
        out[0] = 2;
        assert!(matches!(
            BincodeCodec::<u64>::new().decode(&out),
            Err(CodecError::UnknownVersion { found: 2, .. })
        ));
        out.clear();
        BincodeCodec::<String>::new().encode(&"ab".to_owned(), &mut out);
        assert_eq!(out, [1, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']);
    }
}
