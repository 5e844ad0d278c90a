//! Codecs of store keys.

use crate::codec::CodecError;

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
    fn decode(&self, bytes: &[u8]) -> Result<u64, CodecError> {
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
    fn decode(&self, bytes: &[u8]) -> Result<(u64, u64), CodecError> {
        let (first, second) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| CodecError::malformed("u64 pair key", "under 8 bytes"))?;
        let second: [u8; 8] =
            second.try_into().map_err(|_| CodecError::malformed("u64 pair key", "not 16 bytes"))?;
        Ok((u64::from_be_bytes(*first), u64::from_be_bytes(second)))
    }
}

/// A text key, as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct StrKey;

impl KeyCodec for StrKey {
    type Key<'k> = &'k str;
    fn encode(&self, key: &&str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
    }
    fn decode<'k>(&self, bytes: &'k [u8]) -> Result<&'k str, CodecError> {
        std::str::from_utf8(bytes).map_err(|error| CodecError::malformed("text key", error.to_string()))
    }
}

/// A key of any bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct BytesKey;

impl KeyCodec for BytesKey {
    type Key<'k> = &'k [u8];
    fn encode(&self, key: &&[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
    }
    fn decode<'k>(&self, bytes: &'k [u8]) -> Result<&'k [u8], CodecError> {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn text_and_bytes_keys_are_themselves() {
        let mut out = Vec::new();
        StrKey.encode(&"k\u{e4}", &mut out);
        BytesKey.encode(&&b"\xff"[..], &mut out);
        assert_eq!(out, b"k\xc3\xa4\xff");
        assert_eq!(StrKey.decode(&out[..3]), Ok("k\u{e4}"));
        assert!(matches!(StrKey.decode(&out), Err(CodecError::Malformed { .. })));
        assert_eq!(BytesKey.decode(&out), Ok(&out[..]));
    }
}
