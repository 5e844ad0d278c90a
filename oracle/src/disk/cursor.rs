//! Reads little-endian fixed-width values off the front of a byte string.

use thiserror::Error;

/// Why bytes could not be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum FormatError {
    #[error("{what} ends too early")]
    Short { what: &'static str },
    #[error("{count} bytes are left over")]
    Trailing { count: usize },
    #[error("unknown version {0}")]
    Version(u8),
    #[error("{what} has the unknown value {value}")]
    Unknown { what: &'static str, value: u64 },
    #[error("{what} is not UTF-8")]
    NotText { what: &'static str },
}

/// What is left to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Starts at the front of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor(bytes)
    }

    /// Starts behind the version byte, which must be `version`.
    pub(crate) fn versioned(bytes: &'a [u8], version: u8) -> Result<Self, FormatError> {
        let mut cursor = Cursor(bytes);
        match cursor.u8("version")? {
            found if found == version => Ok(cursor),
            found => Err(FormatError::Version(found)),
        }
    }

    /// Takes `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FormatError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FormatError::Short { what })?;
        self.0 = rest;
        Ok(*head)
    }

    /// Takes `count` bytes.
    fn slice(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], FormatError> {
        let count = usize::try_from(count).map_err(|_| FormatError::Short { what })?;
        let (head, rest) = self.0.split_at_checked(count).ok_or(FormatError::Short { what })?;
        self.0 = rest;
        Ok(head)
    }

    /// Takes what is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, FormatError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, FormatError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, FormatError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, FormatError> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, FormatError> {
        self.array(what).map(i64::from_le_bytes)
    }

    pub(crate) fn i128(&mut self, what: &'static str) -> Result<i128, FormatError> {
        self.array(what).map(i128::from_le_bytes)
    }

    /// Takes a `u64` length and as many bytes of UTF-8.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, FormatError> {
        let count = self.u64(what)?;
        std::str::from_utf8(self.slice(count, what)?).map_err(|_| FormatError::NotText { what })
    }

    /// Takes a `u64` count and as many items, each of which takes at least one byte.
    pub(crate) fn list<T>(
        &mut self,
        what: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        let count = self.u64(what)?;
        let mut items = Vec::new();
        for _ in 0..count {
            if self.0.is_empty() {
                return Err(FormatError::Short { what });
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Succeeds when nothing is left.
    pub(crate) fn end(self) -> Result<(), FormatError> {
        match self.0.len() {
            0 => Ok(()),
            count => Err(FormatError::Trailing { count }),
        }
    }
}
