//! Records: as fetched, as decoded, as owned by tests.

use std::fmt;

/// A fetched record, whoever owns its bytes. The runtime implements it over the client's fetch buffer, so
/// that nothing is copied between fetch and processor.
pub trait RawRecord {
    /// Returns the offset in its partition.
    fn offset(&self) -> i64;
    /// Returns the record's timestamp, ms since the epoch; negative when it has none.
    fn timestamp_ms(&self) -> i64;
    /// Returns the key, or `None` for a null key.
    fn key(&self) -> Option<&[u8]>;
    /// Returns the value, or `None` for a null value.
    fn value(&self) -> Option<&[u8]>;
    /// Returns the number of headers.
    fn header_count(&self) -> usize;
    /// Returns name and value of the header at `index`, or `None` past the end.
    fn header(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)>;
}

/// The headers of a record, in their order.
#[derive(Clone, Copy)]
pub struct Headers<'a>(Option<&'a dyn RawRecord>);

impl<'a> Headers<'a> {
    pub(crate) fn of(record: &'a dyn RawRecord) -> Self {
        Self(Some(record))
    }

    /// Returns no headers: what punctuators and forwarded records without a source have.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Iterates over (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let record = self.0;
        (0..record.map_or(0, RawRecord::header_count)).filter_map(move |index| record?.header(index))
    }

    /// Returns the value of the last header called `name`, as the Java client's `lastHeader` does.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().filter(|(found, _)| *found == name.as_bytes()).last().and_then(|(_, value)| value)
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()))
            .finish()
    }
}

/// A decoded record, as processors see it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a, K, V> {
    /// The decoded key.
    pub key: K,
    /// The decoded value.
    pub value: V,
    /// Timestamp, ms since the epoch.
    pub timestamp_ms: i64,
    /// Headers of the source record.
    pub headers: Headers<'a>,
}

impl<'a, K, V> Record<'a, K, V> {
    /// Returns the same record with another key and value.
    pub fn with<K2, V2>(&self, key: K2, value: V2) -> Record<'a, K2, V2> {
        Record { key, value, timestamp_ms: self.timestamp_ms, headers: self.headers }
    }
}

/// A record that owns its bytes, for tests and the test driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Offset in its partition.
    pub offset: i64,
    /// Timestamp, ms since the epoch.
    pub timestamp_ms: i64,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl RawRecord for OwnedRecord {
    fn offset(&self) -> i64 {
        self.offset
    }
    fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }
    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }
    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
    fn header_count(&self) -> usize {
        self.headers.len()
    }
    fn header(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        self.headers.get(index).map(|(name, value)| (name.as_slice(), value.as_deref()))
    }
}
