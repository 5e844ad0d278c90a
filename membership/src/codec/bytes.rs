//! Reading and writing of big-endian fields; every length is checked against what is there.

use std::collections::BTreeSet;

use millpond_topology::TaskId;
use thiserror::Error;

use crate::plan::Tasks;

/// Bytes that do not have the form they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed(what))?;
        self.0 = rest;
        Ok(*head)
    }

    fn slice(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Malformed(what))?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(crate) fn i16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        self.array(what).map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self, what: &'static str) -> Result<i32, Malformed> {
        self.array(what).map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, Malformed> {
        self.array(what).map(i64::from_be_bytes)
    }

    /// Reads a Kafka string: signed 16-bit length; -1 is null.
    pub(crate) fn nullable_string(&mut self, what: &'static str) -> Result<Option<&'a str>, Malformed> {
        match self.i16(what)? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| Malformed(what))?;
                std::str::from_utf8(self.slice(length, what)?).map(Some).map_err(|_| Malformed(what))
            }
        }
    }

    pub(crate) fn string(&mut self, what: &'static str) -> Result<&'a str, Malformed> {
        self.nullable_string(what)?.ok_or(Malformed(what))
    }

    /// Reads Kafka bytes: signed 32-bit length; null (-1) reads as empty.
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        match self.i32(what)? {
            -1 => Ok(&[]),
            length => self.slice(usize::try_from(length).map_err(|_| Malformed(what))?, what),
        }
    }

    /// Reads a count of elements of at least `size_min` bytes each; more than can be there is refused.
    pub(crate) fn count(&mut self, size_min: usize, what: &'static str) -> Result<usize, Malformed> {
        let count = usize::try_from(self.i32(what)?).map_err(|_| Malformed(what))?;
        if count.checked_mul(size_min).is_none_or(|bytes| bytes > self.0.len()) {
            return Err(Malformed(what));
        }
        Ok(count)
    }

    pub(crate) fn task(&mut self, what: &'static str) -> Result<TaskId, Malformed> {
        Ok(TaskId { subtopology: self.u32(what)?, partition: self.u32(what)? })
    }

    pub(crate) fn tasks(&mut self, what: &'static str) -> Result<Tasks, Malformed> {
        let count = self.count(8, what)?;
        (0..count).map(|_| self.task(what)).collect()
    }

    pub(crate) fn strings(&mut self, what: &'static str) -> Result<Vec<String>, Malformed> {
        let count = self.count(2, what)?;
        (0..count).map(|_| self.string(what).map(str::to_owned)).collect()
    }

    /// Confirms that nothing is left.
    pub(crate) fn end(self, what: &'static str) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed(what)) }
    }
}

/// What has been written.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }

    /// Writes a count; a count over 31 bits would be a frame over its limit long before.
    pub(crate) fn count(&mut self, count: usize) {
        self.put(i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes());
    }

    /// Writes a Kafka string, cut at 32,767 bytes; `Settings` allow none over 249, reasons are shorter too.
    pub(crate) fn string(&mut self, text: &str) {
        let mut end = text.len().min(usize::from(i16::MAX.unsigned_abs()));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        self.put(i16::try_from(text.len()).unwrap_or(i16::MAX).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn strings(&mut self, texts: &[String]) {
        self.count(texts.len());
        for text in texts {
            self.string(text);
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn task(&mut self, task: TaskId) {
        self.put(task.subtopology.to_be_bytes());
        self.put(task.partition.to_be_bytes());
    }

    pub(crate) fn tasks(&mut self, tasks: &BTreeSet<TaskId>) {
        self.count(tasks.len());
        for task in tasks {
            self.task(*task);
        }
    }
}
