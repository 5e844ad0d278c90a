//! What the kill hit, read from Kafka after it.

use std::collections::BTreeMap;

use super::offsets::Place;
use super::status::Input;

/// What was uncommitted when the process died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Records that the process had read beyond what Kafka has as committed after its death.
    pub(super) read_beyond: u64,
    /// Records on the input topics that were not committed, read or not.
    pub(super) uncommitted: u64,
    /// Records of an open transaction on the output and changelog topics.
    pub(super) open_records: u64,
    /// Input partitions looked at.
    pub(super) partitions: u64,
    /// Committed input offsets, summed.
    pub(super) committed: u64,
}

impl Evidence {
    /// Weighs what the process last said (`before`) against what Kafka has after its death.
    ///
    /// Committed offsets only grow, so a position seen before the kill and beyond the offset committed after it was
    /// read by the process and not committed by it, whatever happened in between.
    pub(super) fn weigh(before: &[Input], after: &[Place], open_records: u64) -> Self {
        let positions: BTreeMap<_, _> =
            before.iter().map(|input| ((input.topic.as_str(), input.partition), input.position)).collect();
        let beyond = |place: &Place| {
            let position = positions.get(&(place.topic.as_str(), place.partition));
            let beyond = position.map_or(0, |position| position.min(&place.end) - place.next());
            u64::try_from(beyond).unwrap_or_default()
        };
        Self {
            read_beyond: after.iter().map(beyond).sum(),
            uncommitted: after.iter().map(Place::lag).sum(),
            open_records,
            partitions: after.len() as u64,
            committed: after.iter().map(Place::committed_len).sum(),
        }
    }

    /// Tells whether the kill hit work in progress: input was uncommitted, and the process had begun with it.
    pub(super) fn hit(&self) -> bool {
        self.uncommitted > 0 && (self.read_beyond > 0 || self.open_records > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Evidence;
    use crate::demo::offsets::Place;
    use crate::demo::status::Input;

    fn input(partition: i32, position: i64) -> Input {
        Input { topic: "o".to_owned(), partition, position, committed: 0 }
    }

    fn place(partition: i32, committed: Option<i64>, end: i64) -> Place {
        Place { topic: "o".to_owned(), partition, start: 0, committed, end }
    }

    #[test]
    fn records_read_beyond_the_commit_are_a_hit() {
        let before = [input(0, 120), input(1, 100), input(2, 7)];
        let after = [place(0, Some(100), 150), place(1, Some(130), 140), place(2, None, 9)];
        let evidence = Evidence::weigh(&before, &after, 0);
        assert_eq!((evidence.read_beyond, evidence.uncommitted), (27, 69));
        assert_eq!((evidence.committed, evidence.partitions), (230, 3));
        assert!(evidence.hit());
    }

    #[test]
    fn a_commit_between_look_and_kill_is_a_miss() {
        let evidence = Evidence::weigh(&[input(0, 120)], &[place(0, Some(120), 150)], 0);
        assert!(!evidence.hit());
        assert!(Evidence { open_records: 1, ..evidence }.hit());
    }

    #[test]
    fn drained_input_is_a_miss_even_with_an_open_transaction() {
        assert!(!Evidence::weigh(&[input(0, 150)], &[place(0, Some(150), 150)], 5).hit());
    }
}
