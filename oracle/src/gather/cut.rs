//! How far each task had come in its inputs, by the markers in the changelog.

use super::changelog::Changelog;
use crate::place::{Names, Place, Side};

/// Next offset of each input partition at the end of the changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    orders: Vec<i64>,
    commands: Vec<i64>,
}

impl Cut {
    /// Takes the cut from the markers; a task without marker has read nothing.
    pub(crate) fn of(changelog: &Changelog, names: &Names) -> Cut {
        let side = |side| {
            let next = |table: &super::Table| table.marker.as_ref()?.next_offset(names.topic(side));
            changelog.tables.iter().map(|table| next(table).unwrap_or(0)).collect()
        };
        Cut { orders: side(Side::Orders), commands: side(Side::Commands) }
    }

    /// Returns the next offset of an input partition.
    pub(crate) fn next(&self, side: Side, partition: i32) -> i64 {
        let offsets = match side {
            Side::Orders => &self.orders,
            Side::Commands => &self.commands,
        };
        usize::try_from(partition).ok().and_then(|at| offsets.get(at)).copied().unwrap_or(0)
    }

    /// Tells whether an input had been processed.
    pub(crate) fn contains(&self, place: Place) -> bool {
        place.offset < self.next(place.side, place.partition)
    }
}
