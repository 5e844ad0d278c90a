//! RocksDB against the changelog, each store at the point where it was last flushed.

use std::path::Path;

use rocksdb::IteratorMode;

use crate::disk::{MARKER_KEY, METADATA_KEY, Marker, RowKey};
use crate::gather::{Changelog, Snapshot, Store, Table};
use crate::report::{Check, Findings};
use crate::target::{Target, Topics};

use super::folded::show_key;
use super::title::STORES;

/// Compares all stores; `unreadable` are those that could not even be opened for it.
pub(crate) fn check_stores(
    target: &Target,
    stores: &[(i32, usize, Store)],
    unreadable: &[(std::path::PathBuf, String)],
    changelog: &Changelog,
) -> Check {
    let mut findings = Findings::default();
    for (path, why) in unreadable {
        findings.differ(|| format!("RocksDB {}: {why}", path.display()));
    }
    let (mut at_end, mut unclear, mut keys) = (0_u64, 0_u64, 0_u64);
    for (partition, at, store) in stores {
        check_heads(target, *partition, store, changelog, &mut findings);
        let Some(table) = changelog.table(*partition) else { continue };
        let Some(snapshot) = table.snapshots.get(*at) else { continue };
        let end = table.marker.as_ref().map_or(0, |marker| marker.sequence);
        at_end += u64::from(end == store.sequence());
        let mut comparison =
            Comparison { store, table, snapshot, findings: &mut findings, keys: 0, unclear: 0 };
        comparison.run();
        keys += comparison.keys;
        unclear += comparison.unclear;
    }
    let count = stores.len();
    let figure = format!(
        "{count} stores, {keys} keys, {at_end} stores at the changelog's end, {unclear} keys superseded since"
    );
    if stores.is_empty() && unreadable.is_empty() {
        return STORES.not_checkable("no RocksDB with data was found in the state directories given");
    }
    findings.conclude(STORES, figure)
}

fn check_heads(
    target: &Target,
    partition: i32,
    store: &Store,
    changelog: &Changelog,
    findings: &mut Findings,
) {
    let here = || format!("RocksDB {}", store.path.display());
    let metadata = &store.metadata;
    if metadata.app != target.app_id || metadata.changelog != target.topics.changelog {
        findings.differ(|| format!("{}: belongs to {} ({})", here(), metadata.app, metadata.changelog));
    }
    let tasks = changelog.tables.len();
    if usize::try_from(metadata.partition_count) != Ok(tasks) || metadata.partitioner != "murmur2" {
        let (count, by) = (metadata.partition_count, &metadata.partitioner);
        findings.differ(|| format!("{}: {count} partitions by {by}, expected {tasks} by murmur2", here()));
    }
    // A restore that was given up before it met a marker left none; what it must hold is compared like any other's.
    let Some((_, marker)) = &store.marker else { return };
    let Topics { orders, commands, .. } = &target.topics;
    if marker.base != Marker::base_of([("account-commands", commands), ("order-events", orders)]) {
        findings.differ(|| format!("{}: the marker's base is of another topology", here()));
    }
    let hashes: Vec<(u16, [u8; 8])> = metadata
        .stores
        .iter()
        .map(|(id, name, codec)| (*id, Marker::store_hash_of(*id, name, codec)))
        .collect();
    if marker.stores != hashes {
        findings.differ(|| format!("{}: the marker's store hashes are not those of the metadata", here()));
    }
    let table = changelog.table(partition);
    let end = table.and_then(|table| table.marker.as_ref()).map(|marker| marker.sequence);
    if end.is_none_or(|end| marker.sequence > end) {
        let sequence = marker.sequence;
        findings.differ(|| {
            let here = here();
            format!("{here}: sequence {sequence} is ahead of the changelog's {end:?}: it holds what Kafka does not")
        });
    }
}

struct Comparison<'a> {
    store: &'a Store,
    table: &'a Table,
    snapshot: &'a Snapshot,
    findings: &'a mut Findings,
    keys: u64,
    unclear: u64,
}

impl Comparison<'_> {
    fn run(&mut self) {
        let path: &Path = &self.store.path;
        let held = self.store.marker.as_ref();
        if let (Some(marker), Some((bytes, found))) = (self.snapshot.marker(), held)
            && marker != bytes.as_slice()
        {
            let expected = Marker::decode(marker);
            self.findings.differ(|| {
                format!("RocksDB {}: marker {found:?}, changelog has {expected:?}", path.display())
            });
        }
        if let (Some(offset), None) = (self.snapshot.covered_marker(), held) {
            let position = self.store.metadata.position;
            self.findings.differ(|| {
                format!(
                    "RocksDB {}: it has no marker, its position {position} claims the one at offset {offset}",
                    path.display()
                )
            });
        }
        if let Some(offset) = self.snapshot.overclaim() {
            let position = self.store.metadata.position;
            self.findings.differ(|| {
                format!(
                    "RocksDB {}: position {position} claims offset {offset}, which is behind its marker",
                    path.display()
                )
            });
        }
        let mut met = 0_usize;
        for entry in self.store.db.iterator(IteratorMode::Start) {
            match entry {
                Ok((key, value)) if *key != MARKER_KEY && *key != METADATA_KEY => {
                    met += usize::from(self.compare(&key, Some(&value)));
                }
                Ok(_) => {}
                Err(error) => {
                    self.findings.differ(|| format!("RocksDB {}: {error}", path.display()));
                    return;
                }
            }
        }
        self.find_missing(met);
    }

    /// Compares one key; tells whether both sides have it.
    fn compare(&mut self, key: &[u8], found: Option<&[u8]>) -> bool {
        let Some(expected) = self.snapshot.expected(&self.table.rows, key) else {
            self.unclear += 1;
            return false;
        };
        self.keys += 1;
        self.findings.looked_at();
        if found != expected {
            let path = self.store.path.display();
            self.findings.differ(|| {
                let name =
                    RowKey::decode(key).map_or_else(|_| format!("key {key:02x?}"), |key| show_key(&key));
                format!(
                    "RocksDB {path}: {name}: found {}, changelog has {}",
                    show(key, found),
                    show(key, expected)
                )
            });
        }
        expected.is_some()
    }

    /// Looks for keys that only the changelog has; `met` keys were found on both sides.
    fn find_missing(&mut self, met: usize) {
        let (table, snapshot) = (self.table, self.snapshot);
        let is_there = |key: &&[u8]| snapshot.expected(&table.rows, key).is_some_and(|value| value.is_some());
        let undone = snapshot.undone().filter(|key| !table.rows.contains_key(*key));
        let all = || table.rows.keys().map(AsRef::as_ref).chain(undone).filter(is_there);
        let expected: Vec<&[u8]> = all().collect();
        if expected.len() == met {
            return;
        }
        for key in expected {
            if matches!(self.store.db.get_pinned(key), Ok(None)) {
                self.compare(key, None);
            }
        }
    }
}

/// Writes a value for a person: decoded where it can be.
fn show(key: &[u8], value: Option<&[u8]>) -> String {
    use crate::disk::{AccountRow, OrderRow, ReferenceRow};
    let Some(value) = value else { return "nothing".to_owned() };
    let text = match RowKey::decode(key) {
        Ok(RowKey::Account { .. }) => AccountRow::decode(value).map(|row| format!("{row:?}")),
        Ok(RowKey::Order { .. }) => OrderRow::decode(value).map(|row| format!("{row:?}")),
        Ok(RowKey::Reference { .. }) => ReferenceRow::decode(value).map(|row| format!("{row:?}")),
        Err(error) => Err(error),
    };
    text.unwrap_or_else(|error| format!("{value:02x?} ({error})"))
}
