//! Flush, durability, closing, figures.

use millpond_state::{Batch, Budget, Found, Metadata, Shared, StorageError, Store, is_stale};

use crate::support::{Images, apply, identity, images, marker, open, small};

fn one(key: u8) -> Images {
    Images::from([(vec![0, 1, key], Some(vec![key; 3]))])
}

#[test]
fn durable_is_what_was_flushed_and_metadata_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    assert_eq!(opened.found, Found::Fresh);
    let mut store = opened.store;
    assert_eq!((store.position(), store.durable()), (0, Ok(None)));
    store.set_changelog_topic_id([5; 16]).unwrap();
    apply(&mut store, &one(1), 1, 10);
    assert_eq!(store.durable(), Ok(None), "with the WAL off nothing is durable before a flush");
    assert_eq!(store.rows_since_flush(), 2, "one image and the marker");
    store.flush(1_000).unwrap();
    apply(&mut store, &one(2), 2, 20);
    let durable = store.durable().unwrap().unwrap();
    assert_eq!((durable.position, store.metadata().position), (10, 20));
    assert_eq!(durable.changelog_topic_id, [5; 16]);
    store.close(1_000).unwrap();
    let Found::Existing { metadata, marker } = open(dir.path()).found else { panic!("nothing found") };
    assert_eq!((metadata.position, marker.unwrap().sequence), (20, 2));
}

#[test]
fn a_recreated_changelog_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    store.set_changelog_topic_id([5; 16]).unwrap();
    apply(&mut store, &one(1), 1, 10);
    store.close(1_000).unwrap();
    let mut store = open(dir.path()).store;
    store.set_changelog_topic_id([5; 16]).unwrap();
    let error = store.set_changelog_topic_id([6; 16]).unwrap_err();
    assert!(matches!(error, StorageError::ChangelogRecreated { known, found, .. } if known != found));
    assert_eq!(store.metadata().changelog_topic_id, [5; 16]);
}

#[test]
fn a_batch_that_is_not_one_of_ours_is_refused_and_nothing_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    apply(&mut store, &one(1), 1, 10);
    let mut attempt = |keys: &[&[u8]], position| {
        let images = keys.iter().map(|key| (*key, Some(&b"x"[..])));
        store.apply(Batch { images, marker: &marker(2), position, wall_ms: 5 })
    };
    let reserved = |key: &[u8]| Err(StorageError::ReservedKey { key: key.to_vec() });
    assert_eq!(attempt(&[&[0, 0]], 20), reserved(&[0, 0]));
    assert_eq!(attempt(&[&[0, 0, 1]], 20), reserved(&[0, 0, 1]));
    assert_eq!(attempt(&[&[1]], 20), reserved(&[1]));
    let out_of_order = |key: &[u8]| Err(StorageError::OutOfOrder { key: key.to_vec() });
    assert_eq!(attempt(&[&[0, 1, 9], &[0, 1, 8]], 20), out_of_order(&[0, 1, 8]));
    assert_eq!(attempt(&[&[0, 1, 9], &[0, 1, 9]], 20), out_of_order(&[0, 1, 9]));
    assert_eq!(attempt(&[], 9), Err(StorageError::PositionBackwards { from: 10, to: 9 }));
    assert_eq!(attempt(&[], 10), Ok(1), "the store is still usable");
    assert_eq!(crate::support::content(&store.reader()).len(), 1);
}

#[test]
fn an_idle_store_that_lacks_nothing_does_not_grow_stale() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    apply(&mut store, &one(1), 1, 10);
    store.flush(1_000).unwrap();
    let (hour, day) = (3_600_000, 86_400_000);
    let durable = |store: &Store| -> Metadata { store.durable().unwrap().unwrap() };
    assert!(is_stale(&durable(&store), 13 * hour, day));
    store.flush(2_000).unwrap();
    assert_eq!(durable(&store).written_wall_ms, 1_000, "not renewed with every idle flush");
    store.flush(13 * hour).unwrap();
    assert!(!is_stale(&durable(&store), 13 * hour, day));
    assert_eq!(durable(&store).position, 10);
}

#[test]
fn a_reader_keeps_the_database_open_and_close_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    apply(&mut store, &one(1), 1, 10);
    let reader = store.reader();
    assert_eq!(store.close(1_000), Err(StorageError::InUse { readers: 1 }));
    drop(reader);
    assert_eq!(open(dir.path()).store.position(), 10, "flushed all the same");
}

#[test]
fn figures_of_memory_and_files_follow_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let shared = small();
    let mut store = Store::open(dir.path(), &identity(), &shared).unwrap().store;
    let before = store.properties().unwrap();
    assert_eq!((before.sst_bytes, before.estimated_keys), (0, 0));
    apply(&mut store, &images(1, 1), 1, 10);
    assert!(shared.usage().write_buffers > 0);
    assert!(store.properties().unwrap().memtable_bytes > before.memtable_bytes);
    store.flush(1_000).unwrap();
    let after = store.properties().unwrap();
    assert!(after.sst_bytes > 0 && after.estimated_keys > 0);
    assert_eq!((after.write_stopped, after.background_errors), (0, 0));
    assert!(shared.usage().cache > 0);
    let Budget { block_cache, write_buffers, .. } = Shared::new(1 << 20).budget();
    assert_eq!(block_cache + write_buffers, 1 << 20);
}

/// Another process has its stores in a new folder of the same path; the one here was moved away.
#[test]
fn a_store_whose_folder_was_replaced_writes_nothing_into_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (task, moved) = (dir.path().join("0_1"), dir.path().join("moved"));
    let files = |folder: &std::path::Path| std::fs::read_dir(folder).unwrap().count();
    let mut store = open(&task).store;
    apply(&mut store, &one(1), 1, 10);
    let database = store.path().to_owned();
    std::fs::rename(&task, &moved).unwrap();
    std::fs::create_dir_all(&database).unwrap();
    assert_eq!(store.flush(1_000), Err(StorageError::Replaced { path: database.clone() }));
    assert!(matches!(store.flush(1_000), Err(StorageError::Poisoned { .. })), "it goes on");
    drop(store);
    assert_eq!(files(&database), 0, "it flushed into the folder of another process");
    // In its place it flushes when it is dropped.
    let other = dir.path().join("0_2");
    let mut store = open(&other).store;
    apply(&mut store, &one(1), 1, 10);
    let (database, before) = (store.path().to_owned(), files(store.path()));
    drop(store);
    assert!(files(&database) > before, "nothing was flushed, so that the test proves nothing");
}
