//! Record keys as fetched. Whether a key is the right one can be judged only beside its value.

use millpond_topology::{DecodeError, Deserializer};

use super::fault::refuse;
use crate::reason::DeadLetter;

/// Passes a key through; null and empty are `MISSING_KEY`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordKey;

impl Deserializer for RecordKey {
    type Out<'a> = &'a [u8];

    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        if bytes.is_empty() { self.absent(DeadLetter::MissingKey.name()) } else { Ok(bytes) }
    }

    fn absent<'a>(&self, _code: &'static str) -> Result<&'a [u8], DecodeError> {
        Err(refuse(DeadLetter::MissingKey, "the record has no key"))
    }
}
