//! Counters that mean outcomes; they count when a transaction is applied.

/// Counts by names from a closed list. A handful of names, so a scan beats a map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(Vec<(&'static str, u64)>);

impl Counters {
    /// Adds `n` to `name`.
    pub fn add(&mut self, name: &'static str, n: u64) {
        match self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, name) || *known == name) {
            Some((_, count)) => *count += n,
            None => self.0.push((name, n)),
        }
    }

    /// Returns the count of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }

    /// Iterates over (name, count).
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied().filter(|(_, count)| *count > 0)
    }

    /// Adds every count of `other`.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (name, count) in other.iter() {
            self.add(name, count);
        }
    }

    /// Sets all to 0, keeping the names.
    pub(crate) fn reset(&mut self) {
        for (_, count) in &mut self.0 {
            *count = 0;
        }
    }
}
