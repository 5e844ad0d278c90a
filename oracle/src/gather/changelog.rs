//! The changelog as a compacted table per task.

use std::collections::HashMap;

use rdkafka::Message;

use super::snapshot::Snapshot;
use crate::disk::{MARKER_KEY, Marker};
use crate::error::OracleError;
use crate::kafka::{TopicSpan, read_topic};
use crate::report::Findings;
use crate::target::Target;

/// Last value of every key of one task.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: HashMap<Box<[u8]>, Box<[u8]>>,
    pub(crate) marker: Option<Marker>,
    /// One per store of the task, in the order in which they were given.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Data records above the last marker: a transaction without marker.
    unmarked: u64,
    first_unmarked: i64,
}

impl Table {
    /// Applies one record; what is wrong with it is noted.
    pub(crate) fn apply(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), String> {
        let key = key.ok_or("key is null")?;
        if key == MARKER_KEY {
            return self.apply_marker(offset, value.ok_or("marker is a tombstone")?);
        }
        if self.unmarked == 0 {
            self.first_unmarked = offset;
        }
        self.unmarked += 1;
        let old = self.rows.get(key).map(AsRef::as_ref);
        for snapshot in &mut self.snapshots {
            snapshot.before_write(offset, key, old);
        }
        match value {
            Some(value) => {
                self.rows.insert(key.into(), value.into());
            }
            None => {
                self.rows.remove(key);
            }
        }
        Ok(())
    }

    fn apply_marker(&mut self, offset: i64, value: &[u8]) -> Result<(), String> {
        let marker = Marker::decode(value).map_err(|error| format!("marker: {error}"))?;
        let before = self.marker.as_ref().map_or(0, |marker| marker.sequence);
        let is_later = self.marker.is_none() || marker.sequence > before;
        let backwards = self
            .marker
            .iter()
            .flat_map(|old| &old.inputs)
            .find(|old| marker.next_offset(&old.topic).is_none_or(|next| next < old.next_offset));
        let problem = match backwards {
            _ if !is_later => Some(format!("marker sequence {} after {before}", marker.sequence)),
            Some(old) => Some(format!("marker of {} goes back below {}", old.topic, old.next_offset)),
            None => None,
        };
        for snapshot in &mut self.snapshots {
            snapshot.at_marker(offset, marker.sequence, value);
        }
        self.marker = Some(marker);
        self.unmarked = 0;
        problem.map_or(Ok(()), Err)
    }

    /// Returns the first data record above the last marker and how many there are.
    pub(crate) fn unmarked(&self) -> Option<(i64, u64)> {
        (self.unmarked > 0).then_some((self.first_unmarked, self.unmarked))
    }
}

/// All tasks' tables, by partition.
#[derive(Debug, Default)]
pub(crate) struct Changelog {
    pub(crate) topic: String,
    pub(crate) tables: Vec<Table>,
    /// Records that cannot be a changelog's.
    pub(crate) faults: Findings,
}

impl Changelog {
    /// Returns a task's table.
    pub(crate) fn table(&self, partition: i32) -> Option<&Table> {
        self.tables.get(usize::try_from(partition).ok()?)
    }

    /// Returns a task's table for taking rows out of it.
    pub(crate) fn table_mut(&mut self, partition: i32) -> Option<&mut Table> {
        self.tables.get_mut(usize::try_from(partition).ok()?)
    }
}

/// Reads the changelog; `snapshots` holds, per partition, what the stores need of it.
pub(crate) fn read_changelog(
    target: &Target,
    span: &TopicSpan,
    snapshots: Vec<Vec<Snapshot>>,
) -> Result<Changelog, OracleError> {
    let table = |snapshots| Table { snapshots, ..Table::default() };
    let tables = snapshots.into_iter().map(table).collect();
    let mut changelog = Changelog { topic: span.topic.clone(), tables, faults: Findings::default() };
    read_topic(target, span, &mut |message| {
        changelog.faults.looked_at();
        let (partition, offset) = (message.partition(), message.offset());
        let Some(table) = changelog.table_mut(partition) else { return };
        if let Err(problem) = table.apply(offset, message.key(), message.payload()) {
            changelog.faults.differ(|| format!("{}-{partition}@{offset}: {problem}", span.topic));
        }
    })?;
    for (partition, table) in changelog.tables.iter().enumerate() {
        if let Some((first, count)) = table.unmarked() {
            changelog.faults.differ(|| {
                format!("{}-{partition}@{first}: {count} records after the last marker", span.topic)
            });
        }
    }
    Ok(changelog)
}

#[cfg(test)]
mod tests {
    use super::Table;

    fn marker(sequence: u64, next: i64) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend([0; 16]);
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.push(b't');
        bytes.extend([0; 16]);
        bytes.extend(next.to_le_bytes());
        bytes.extend((-1_i64).to_le_bytes());
        bytes.extend([0; 16]);
        bytes
    }

    #[test]
    fn the_last_value_wins_and_tombstones_delete() {
        let mut table = Table::default();
        for (offset, key, value) in
            [(0, "a", Some("1")), (1, "b", Some("2")), (2, "a", Some("3")), (3, "b", None)]
        {
            table.apply(offset, Some(key.as_bytes()), value.map(str::as_bytes)).unwrap();
        }
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.rows.get(&b"a"[..]).map(AsRef::as_ref), Some(&b"3"[..]));
        assert_eq!(table.unmarked(), Some((0, 4)));
        table.apply(4, Some(&[0, 0]), Some(&marker(1, 1))).unwrap();
        assert_eq!(table.unmarked(), None);
    }

    #[test]
    fn markers_that_go_back_are_named() {
        let mut table = Table::default();
        let mut mark = |sequence, next| table.apply(0, Some(&[0, 0]), Some(&marker(sequence, next)));
        assert_eq!(mark(5, 10), Ok(()));
        assert_eq!(mark(7, 10), Ok(()));
        assert!(mark(7, 11).unwrap_err().contains("sequence 7 after 7"));
        assert!(mark(8, 9).unwrap_err().contains("goes back"));
    }

    #[test]
    fn null_keys_and_marker_tombstones_are_named() {
        let mut table = Table::default();
        assert!(table.apply(0, None, None).is_err());
        assert!(table.apply(0, Some(&[0, 0]), None).is_err());
        assert!(table.apply(0, Some(&[0, 0]), Some(b"x")).is_err());
    }
}
