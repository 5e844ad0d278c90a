//! The contract between a task and whatever holds its committed state.

use std::ops::ControlFlow;

use crate::error::StoreError;

/// Called with key and value of each row of a scan; breaks to end it.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reads the committed state of a task. Keys are changelog keys: `u16` big-endian store id, then the store
/// key.
pub trait StateReader: Send {
    /// Appends the value of `key` to `out` and returns `true`, or leaves `out` alone and returns `false`.
    ///
    /// # Errors
    /// [`StoreError::Storage`] when the storage fails.
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;

    /// Visits keys from `from` (inclusive) to `to` (exclusive; `None` = to the end) in byte order until
    /// `visit` breaks.
    ///
    /// # Errors
    /// [`StoreError::Storage`] when the storage fails.
    fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> Result<(), StoreError>;
}

/// Returns the exclusive upper bound of all keys that begin with `prefix`, or `None` when there is none (all
/// 0xFF).
#[must_use]
pub fn scan_bounds(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end: Vec<u8> = prefix.iter().copied().take(keep + 1).collect();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_end_is_the_next_key_after_the_prefix() {
        assert_eq!(scan_bounds(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(scan_bounds(&[1, 0xff]), Some(vec![2]));
        assert_eq!(scan_bounds(&[0xff, 0xff]), None);
        assert_eq!(scan_bounds(&[]), None);
    }
}
