//! Databases that must not be used are refused with a reason, and left as they are.

use std::path::Path;

use millpond_state::{Identity, METADATA_KEY, Mismatch, OpenError, Store};
use millpond_topology::{CHANGELOG_MARKER_KEY, CodecError};
use rocksdb::{DB, Options};

use crate::support::{Images, apply, assert_same, content, identity, images, open, small};

fn filled(dir: &Path) -> Images {
    let images = images(1, 1);
    let mut store = open(dir).store;
    apply(&mut store, &images, 1, 10);
    store.close(1_000).unwrap();
    images
}

fn raw(dir: &Path, change: impl FnOnce(&DB)) {
    let mut options = Options::default();
    options.create_if_missing(true);
    let db = DB::open(&options, dir.join("db")).unwrap();
    change(&db);
    db.flush().unwrap();
}

#[test]
fn another_topologys_store_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let images = filled(dir.path());
    let attempt = |change: &dyn Fn(&mut Identity)| {
        let mut other = identity();
        change(&mut other);
        match Store::open(dir.path(), &other, &small()) {
            Err(OpenError::Mismatch { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(attempt(&|i| i.app = "b".into()), Mismatch::App { .. }));
    assert!(matches!(attempt(&|i| i.subtopology = "b".into()), Mismatch::SubTopology { .. }));
    assert!(matches!(attempt(&|i| i.partition = 0), Mismatch::Partition { .. }));
    assert!(matches!(attempt(&|i| i.partition_count = 8), Mismatch::PartitionCount { .. }));
    assert!(matches!(attempt(&|i| i.partitioner = "b".into()), Mismatch::Partitioner { .. }));
    assert!(matches!(attempt(&|i| i.changelog = "b".into()), Mismatch::Changelog { .. }));
    assert!(matches!(attempt(&|i| i.stores[0].codec = "b".into()), Mismatch::Store { id: 1, .. }));
    assert!(matches!(attempt(&|i| i.stores.truncate(1)), Mismatch::StoreMissing { id: 2, .. }));
    let live = images.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    assert_same(&content(&open(dir.path()).store.reader()), &live, "nothing was wiped");
}

#[test]
fn a_store_added_to_the_topology_is_accepted_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let mut wider = identity();
    let added = millpond_state::StoreIdentity { id: 3, name: "third".into(), codec: "bytes".into() };
    wider.stores.push(added);
    let mut store = Store::open(dir.path(), &wider, &small()).unwrap().store;
    apply(&mut store, &images(1, 2), 2, 20);
    store.close(1_000).unwrap();
    let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(matches!(error, OpenError::Mismatch { source: Mismatch::StoreMissing { id: 3, .. }, .. }));
}

#[test]
fn unknown_versions_of_metadata_and_marker_are_refused() {
    for key in [&METADATA_KEY[..], &CHANGELOG_MARKER_KEY] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        raw(dir.path(), |db| {
            let mut newer = db.get(key).unwrap().unwrap();
            newer[0] = 9;
            db.put(key, newer).unwrap();
        });
        for _ in 0..2 {
            let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
            let version = |source: &CodecError| matches!(source, CodecError::UnknownVersion { found: 9, .. });
            assert!(matches!(&error, OpenError::Format { source, .. } if version(source)), "{error}");
        }
    }
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    raw(dir.path(), |db| db.put(b"key", b"value").unwrap());
    let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn a_database_opened_twice_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(matches!(error, OpenError::Storage { .. }), "{error}");
    drop(first);
}

#[test]
fn a_task_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = Store::open(&file, &identity(), &small()).unwrap_err();
    assert!(matches!(&error, OpenError::Directory { path, .. } if path.starts_with(&file)), "{error}");
}
