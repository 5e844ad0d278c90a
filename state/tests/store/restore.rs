//! Restore by chunks: last record wins, progress survives a kill, nothing unknown is taken.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use millpond_state::{Found, Restored, StorageError, Store};

use crate::child::{self, Role};
use crate::support::{Model, Random, assert_same, content, identity, key, marker, open, seed, small, value};

type Record = (i64, Vec<u8>, Option<Vec<u8>>);

const RECORDS: u64 = 60_000;

/// A changelog with gaps in its offsets and a marker now and then.
fn changelog(seed: u64) -> Vec<Record> {
    let mut random = Random(seed);
    let mut offset = 0;
    let mut record = |number: u64| {
        offset += 1 + i64::try_from(random.below(3)).unwrap();
        match random.below(50) {
            0 => (offset, vec![0, 0], Some(marker(number))),
            _ => (offset, key(&mut random, 5_000), value(&mut random, number)),
        }
    };
    (0..RECORDS).map(&mut record).collect()
}

fn restore(store: &mut Store, records: &[Record]) -> Result<Restored, StorageError> {
    let next = records.last().unwrap().0 + 1;
    let mut records = records.iter().map(|(_, key, value)| (key.as_slice(), value.as_deref()));
    store.restore(&mut records, next, 1_000)
}

/// Body of the child: restores from the position to the end in chunks of changing size.
pub(crate) fn restore_to_the_end(dir: &Path, seed: u64) {
    let records = changelog(seed);
    let mut store = Store::open(dir, &identity(), &small()).unwrap().store;
    let mut at = records.partition_point(|(offset, ..)| *offset < store.position());
    let mut random = Random(seed ^ at as u64);
    while at < records.len() {
        let end = records.len().min(at + 1 + random.below(500) as usize);
        restore(&mut store, &records[at..end]).unwrap();
        at = end;
        child::report(at as u64);
        std::thread::sleep(Duration::from_millis(1));
    }
    store.restored();
    store.close(2_000).unwrap();
}

fn model_below(records: &[Record], position: i64) -> (Model, Option<Vec<u8>>) {
    let below = records.iter().filter(|(offset, ..)| *offset < position);
    let last: BTreeMap<_, _> = below.map(|(_, key, value)| (key.clone(), value.clone())).collect();
    let mut live: Model = last.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let marker = live.remove(&[0, 0][..]);
    (live, marker)
}

/// Compares the store with the changelog below its position, which it returns.
fn check(dir: &Path, records: &[Record]) -> i64 {
    let opened = open(dir);
    let position = opened.store.position();
    let (model, last_marker) = model_below(records, position);
    assert_same(&content(&opened.store.reader()), &model, &format!("at position {position}"));
    if let Found::Existing { marker: found, .. } = opened.found {
        let mut bytes = Vec::new();
        assert_eq!(found.is_some(), last_marker.is_some());
        if let Some(found) = found {
            found.encode(&mut bytes);
            assert_eq!(Some(bytes), last_marker);
        }
    }
    position
}

#[test]
fn a_restore_killed_again_and_again_ends_where_an_undisturbed_one_does() {
    let seed = seed("restore kill loop");
    let records = changelog(seed);
    let end = records.last().unwrap().0 + 1;
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    let (mut in_the_middle, mut position) = (0, 0);
    for _ in 0..200 {
        let mut running = child::start(Role::Restore, dir.path(), seed);
        running.await_first_step();
        std::thread::sleep(Duration::from_millis(5 + random.below(30)));
        if running.has_finished() {
            break;
        }
        running.kill();
        let now = check(dir.path(), &records);
        assert!(now >= position, "the restore lost durable progress: {position} to {now}");
        in_the_middle += u32::from(now > position && now < end);
        position = now;
        if position == end {
            break;
        }
    }
    println!("{in_the_middle} kills with progress kept");
    assert!(in_the_middle >= 5, "void: only {in_the_middle} kills in the middle of the restore");
    assert_eq!(check(dir.path(), &records), end);
}

#[test]
fn only_the_last_record_of_a_key_is_written_and_tombstones_delete() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    let record = |offset, key: &[u8], value: Option<&[u8]>| (offset, key.to_vec(), value.map(<[u8]>::to_vec));
    let first = [record(0, &[0, 1, 7], Some(b"old")), record(1, &[0, 1, 8], Some(b"kept"))];
    assert_eq!(restore(&mut store, &first), Ok(Restored { records: 2, rows: 2 }));
    let m = marker(4);
    let second = [
        record(2, &[0, 1, 9], Some(b"a")),
        record(3, &[0, 1, 9], Some(b"b")),
        record(5, &[0, 0], Some(&m)),
        record(6, &[0, 1, 7], Some(b"gone at once")),
        record(7, &[0, 1, 7], None),
    ];
    assert_eq!(restore(&mut store, &second), Ok(Restored { records: 5, rows: 3 }));
    assert_eq!((store.position(), store.rows_since_flush()), (8, 5));
    let want = [(vec![0, 1, 8], b"kept".to_vec()), (vec![0, 1, 9], b"b".to_vec())];
    assert_eq!(content(&store.reader()), Model::from(want));
}

#[test]
fn what_the_changelog_cannot_hold_is_refused_and_nothing_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    let mut newer = marker(1);
    newer[0] = 2;
    let good = (1, vec![0, 1, 7], Some(b"x".to_vec()));
    let bad: [Record; 4] = [
        (2, vec![0, 0], Some(newer)),
        (2, vec![0, 0], None),
        (2, vec![0, 0, 1], Some(b"metadata".to_vec())),
        (2, vec![0], Some(b"short".to_vec())),
    ];
    for bad in bad {
        let error = restore(&mut store, &[good.clone(), bad.clone()]).unwrap_err();
        let expected = matches!(error, StorageError::Format(_) | StorageError::ReservedKey { .. });
        assert!(expected, "{bad:?}: {error}");
    }
    assert_eq!(store.position(), 0);
    assert!(content(&store.reader()).is_empty());
    restore(&mut store, std::slice::from_ref(&good)).unwrap();
    let back = restore(&mut store, &[(0, vec![0, 1, 1], None)]);
    assert_eq!(back, Err(StorageError::PositionBackwards { from: 2, to: 1 }));
}

#[test]
fn an_interrupted_restore_does_not_make_a_store_look_younger() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    let record = |offset: i64| [(offset, vec![0, 1, 7], Some(b"x".to_vec()))];
    let chunk = |store: &mut Store, offset: i64, wall_ms: i64| {
        let records = record(offset);
        let mut records = records.iter().map(|(_, key, value)| (key.as_slice(), value.as_deref()));
        store.restore(&mut records, offset + 1, wall_ms).unwrap();
        store.flush(wall_ms).unwrap();
        store.durable().unwrap().unwrap().written_wall_ms
    };
    let hour = 3_600_000;
    assert_eq!(chunk(&mut store, 0, hour), hour, "a fresh store takes the time of its first chunk");
    assert_eq!(chunk(&mut store, 1, 2 * hour), hour);
    store.close(3 * hour).unwrap();
    let mut store = open(dir.path()).store;
    assert_eq!(chunk(&mut store, 2, 4 * hour), hour);
    store.restored();
    store.flush(5 * hour).unwrap();
    assert_eq!(store.durable().unwrap().unwrap().written_wall_ms, 5 * hour, "current again");
}
