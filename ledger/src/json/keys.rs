//! The keys of the objects that are open, to find one that comes twice.

use super::text::unescape;

/// Keys kept without allocation: more than an event with a few items has open at once.
const INLINE: usize = 32;

/// Keys of one object that are compared in pairs; more are sorted, so that a hostile object costs n log n.
const PAIRS_MAX: usize = 16;

/// A stack of keys, as written.
pub(super) struct Keys<'a> {
    inline: [&'a str; INLINE],
    used: usize,
    /// All keys, once there were more than fit inline.
    spilled: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    pub(super) fn new() -> Self {
        Self { inline: [""; INLINE], used: 0, spilled: Vec::new() }
    }

    /// Returns how many keys there are.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn push(&mut self, key: &'a str) {
        match self.inline.get_mut(self.used) {
            Some(place) if self.spilled.is_empty() => *place = key,
            _ => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(key);
            }
        }
        self.used += 1;
    }

    /// Takes away the keys from `start` on and says whether two of them are equal. `escaped` says whether
    /// some of them may be written with escapes, and are therefore compared as what they mean.
    pub(super) fn close(&mut self, start: usize, spelling: Spelling) -> bool {
        let all = if self.spilled.is_empty() {
            self.inline.get_mut(..self.used)
        } else {
            Some(&mut self.spilled[..])
        };
        let keys = all.and_then(|all| all.get_mut(start..)).unwrap_or_default();
        let twice = match spelling {
            Spelling::Escaped => {
                let mut meant: Vec<_> = keys.iter().map(|key| unescape(key)).collect();
                has_twins(&mut meant)
            }
            Spelling::Plain if keys.len() > PAIRS_MAX => has_twins(keys),
            Spelling::Plain => {
                keys.iter().enumerate().any(|(at, key)| keys.iter().take(at).any(|before| before == key))
            }
        };
        self.used = start;
        if !self.spilled.is_empty() {
            self.spilled.truncate(start);
        }
        twice
    }
}

/// Says whether keys may be written with escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Every key is written as it is meant.
    Plain,
    /// Some key has an escape.
    Escaped,
}

fn has_twins<T: Ord>(keys: &mut [T]) -> bool {
    keys.sort_unstable();
    keys.array_windows().any(|[one, next]| one == next)
}
