//! Serializers and deserializers of keys and values.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, SerializeError};
use crate::processor::Data;

/// Decodes bytes into a value that may borrow from them.
pub trait Deserializer: Send + Sync + 'static {
    /// What comes out; with owned types the lifetime is simply unused.
    type Out<'a>;

    /// Decodes `bytes`.
    ///
    /// # Errors
    /// A [`DecodeError`] whose code becomes the dead letter's reason.
    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<Self::Out<'a>, DecodeError>;

    /// Decodes an absent (null) key or value. Unless overridden, null is an error with `code`.
    ///
    /// # Errors
    /// A [`DecodeError`] with `code`.
    fn absent<'a>(&self, code: &'static str) -> Result<Self::Out<'a>, DecodeError> {
        Err(DecodeError::new(code, "null"))
    }
}

/// Appends the encoding of a value to a buffer.
pub trait Serializer<T: ?Sized>: Send + Sync + 'static {
    /// Appends `value` to `out`.
    fn serialize(&self, value: &T, out: &mut Vec<u8>);

    /// Appends `value` to `out` like [`Serializer::serialize`], for serializers that can fail. This is what
    /// sinks call.
    ///
    /// # Errors
    /// [`SerializeError`]: the task stops, nothing of the record becomes visible.
    fn try_serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        self.serialize(value, out);
        Ok(())
    }
}

/// The data that a deserializer yields, as a type constructor for processors.
pub struct Decoded<D>(PhantomData<D>);

impl<D: Deserializer> Data for Decoded<D> {
    type Of<'a> = D::Out<'a>;
}

/// Passes bytes through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes;

impl Deserializer for Bytes {
    type Out<'a> = &'a [u8];
    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        Ok(bytes)
    }
}

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for Bytes {
    fn serialize(&self, value: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(value.as_ref());
    }
}

/// UTF-8 text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Str;

impl Deserializer for Str {
    type Out<'a> = &'a str;
    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(bytes).map_err(|error| DecodeError::new("NOT_UTF8", error.to_string()))
    }
}

impl<T: AsRef<str> + ?Sized> Serializer<T> for Str {
    fn serialize(&self, value: &T, out: &mut Vec<u8>) {
        out.extend_from_slice(value.as_ref().as_bytes());
    }
}

macro_rules! big_endian {
    ($name:ident, $int:ty, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl Deserializer for $name {
            type Out<'a> = $int;
            fn deserialize(&self, bytes: &[u8]) -> Result<$int, DecodeError> {
                bytes.try_into().map(<$int>::from_be_bytes).map_err(|_| {
                    DecodeError::new(
                        "BAD_LENGTH",
                        format!("{} bytes instead of {}", bytes.len(), size_of::<$int>()),
                    )
                })
            }
        }

        impl Serializer<$int> for $name {
            fn serialize(&self, value: &$int, out: &mut Vec<u8>) {
                out.extend_from_slice(&value.to_be_bytes());
            }
        }
    };
}

big_endian!(U64Be, u64, "A big-endian `u64`, 8 bytes.");
big_endian!(I64Be, i64, "A big-endian `i64`, 8 bytes, as Kafka's `LongSerializer` writes it.");

/// JSON by serde, owned on the way in.
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T> Json<T> {
    /// Returns the serde of `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Json<T> {}

impl<T> std::fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Json")
    }
}

impl<T> Default for Json<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: for<'de> Deserialize<'de> + 'static> Deserializer for Json<T> {
    type Out<'a> = T;
    fn deserialize(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        serde_json::from_slice(bytes).map_err(|error| DecodeError::new("NOT_JSON", error.to_string()))
    }
}

impl<T: 'static, S: Serialize + ?Sized> Serializer<S> for Json<T> {
    fn serialize(&self, value: &S, out: &mut Vec<u8>) {
        let start = out.len();
        if self.try_serialize(value, out).is_err() {
            out.truncate(start);
        }
    }

    /// Fails on what JSON cannot hold, for example a map whose keys are not text.
    fn try_serialize(&self, value: &S, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        serde_json::to_writer(out, value).map_err(|error| SerializeError::new(error.to_string()))
    }
}

/// Turns null into `None` instead of an error.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nullable<D>(pub D);

impl<D: Deserializer> Deserializer for Nullable<D> {
    type Out<'a> = Option<D::Out<'a>>;
    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<Self::Out<'a>, DecodeError> {
        self.0.deserialize(bytes).map(Some)
    }
    fn absent<'a>(&self, _code: &'static str) -> Result<Self::Out<'a>, DecodeError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian_and_refuse_other_lengths() {
        let mut out = Vec::new();
        U64Be.serialize(&258, &mut out);
        assert_eq!(out, [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(U64Be.deserialize(&out), Ok(258));
        assert_eq!(U64Be.deserialize(&out[1..]).map_err(|e| e.code), Err("BAD_LENGTH"));
        I64Be.serialize(&-1, &mut out);
        assert_eq!(I64Be.deserialize(&out[8..]), Ok(-1));
    }

    #[test]
    fn null_is_an_error_unless_nullable() {
        assert_eq!(Str.absent("NULL_VALUE").map_err(|e| e.code), Err("NULL_VALUE"));
        assert_eq!(Nullable(Str).absent("NULL_VALUE"), Ok(None));
        assert_eq!(Str.deserialize(b"\xff").map_err(|e| e.code), Err("NOT_UTF8"));
    }

    #[test]
    fn json_round_trips_and_names_the_fault() {
        let mut out = Vec::new();
        let json = Json::<Vec<u32>>::new();
        json.serialize(&vec![1u32, 2], &mut out);
        assert_eq!(out, b"[1,2]");
        assert_eq!(json.deserialize(&out), Ok(vec![1, 2]));
        assert_eq!(json.deserialize(b"[1,2] x").map_err(|e| e.code), Err("NOT_JSON"));
    }
}
