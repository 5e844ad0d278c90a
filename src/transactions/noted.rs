//! What transaction coordinators noted in their log: the form of its records.
//!
//! Source: Kafka's `TransactionLogKey.json` and `TransactionLogValue.json`, versions 0 and 1.

/// State of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Partitions are being written to.
    Ongoing,
    /// It is to be committed.
    PrepareCommit,
    /// It is to be aborted.
    PrepareAbort,
    /// Every other state: nothing is open.
    Other,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    /// Producer id.
    pub(super) producer_id: i64,
    /// Its epoch.
    pub(super) producer_epoch: i16,
    /// State.
    pub(super) status: Status,
    /// Partitions of the transaction.
    pub(super) partitions: Vec<(String, i32)>,
}

/// Reads the transactional id from a key; `None` for a key of another kind.
#[must_use]
pub(super) fn transactional_id(key: &[u8]) -> Option<String> {
    let mut reader = Reader(key);
    let version = i16::from_be_bytes(reader.take()?);
    if version != 0 {
        return None;
    }
    let length = reader.length(false, 2)?;
    String::from_utf8(reader.bytes(length)?.to_vec()).ok()
}

/// Reads a value; `None` for one that is not understood.
#[must_use]
pub(super) fn noted(value: &[u8]) -> Option<Noted> {
    let mut reader = Reader(value);
    let flexible = match i16::from_be_bytes(reader.take()?) {
        0 => false,
        1 => true,
        _ => return None,
    };
    let producer_id = i64::from_be_bytes(reader.take()?);
    let producer_epoch = i16::from_be_bytes(reader.take()?);
    let _timeout: [u8; 4] = reader.take()?;
    let status = match i8::from_be_bytes(reader.take()?) {
        1 => Status::Ongoing,
        2 => Status::PrepareCommit,
        3 => Status::PrepareAbort,
        _ => Status::Other,
    };
    let mut partitions = Vec::new();
    for _ in 0..reader.length(flexible, 4)? {
        let length = reader.length(flexible, 2)?;
        let name = String::from_utf8(reader.bytes(length)?.to_vec()).ok()?;
        for _ in 0..reader.length(flexible, 4)? {
            partitions.push((name.clone(), i32::from_be_bytes(reader.take()?)));
        }
        if flexible {
            reader.skip_tags()?;
        }
    }
    Some(Noted { producer_id, producer_epoch, status, partitions })
}

/// Bytes that are not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// Reads a length: of `fixed` bytes, or, in the flexible form, a number of any length and one more than it means. None at
    /// all counts as 0.
    fn length(&mut self, flexible: bool, fixed: usize) -> Option<usize> {
        if flexible {
            return Some(self.varint()?.saturating_sub(1));
        }
        let raw = self.bytes(fixed)?;
        let is_negative = raw.first().is_some_and(|byte| byte & 0x80 != 0);
        let number = raw.iter().fold(0, |number: usize, byte| (number << 8) | usize::from(*byte));
        Some(if is_negative { 0 } else { number })
    }

    fn varint(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.take()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn skip_tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            let _tag = self.varint()?;
            let length = self.varint()?;
            self.bytes(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Producer 7 with epoch 3 and a timeout of 4 s is to commit in partitions 2 and 5 of `t`; version 1, with a tag after the
    /// partitions and one at the end.
    const FLEXIBLE: [u8; 41] = [
        0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 0, 15, 160, 2, 2, 2, b't', 3, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0,
        0, 0, 0, 0, 0, 9, 0, 0, 0,
    ];

    #[test]
    fn a_flexible_value_is_read() {
        let found = noted(&FLEXIBLE).unwrap();
        assert_eq!((found.producer_id, found.producer_epoch, found.status), (7, 3, Status::PrepareCommit));
        assert_eq!(found.partitions, [("t".to_owned(), 2), ("t".to_owned(), 5)]);
    }

    #[test]
    fn an_old_value_is_read() {
        let mut value = vec![0, 0];
        value.extend(9_i64.to_be_bytes());
        value.extend([0, 1, 0, 0, 15, 160, 3, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1, 0, 0, 0, 4]);
        let found = noted(&value).unwrap();
        assert_eq!((found.producer_id, found.status), (9, Status::PrepareAbort));
        assert_eq!(found.partitions, [("ab".to_owned(), 4)]);
    }

    #[test]
    fn what_is_cut_short_or_of_another_version_is_not_understood() {
        for length in 0..29 {
            assert_eq!(noted(&FLEXIBLE[..length]), None, "{length}");
        }
        assert_eq!(noted(&[0, 2, 0]), None);
        assert_eq!(transactional_id(&[0, 0, 0, 2, b'i', b'd']).as_deref(), Some("id"));
        assert_eq!(transactional_id(&[0, 1, 0, 2, b'i', b'd']), None);
    }
}
