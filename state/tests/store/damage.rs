//! Damaged databases are noticed, set aside and rebuilt; failed writes poison.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use millpond_state::{Batch, Found, OpenError, StorageError, Store, is_corruption, set_aside};
use millpond_topology::{StateReader, StoreError};

use crate::support::{
    Images, Model, apply, assert_same, content, fold, identity, images, marker, open, small,
};

fn filled(dir: &Path) -> Model {
    let mut model = Model::new();
    let mut store = open(dir).store;
    for number in 0..3 {
        let images = images(7, number);
        apply(&mut store, &images, number + 1, 10);
        fold(&mut model, &images);
    }
    store.close(1_000).unwrap();
    model
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// What became of opening a store and reading all of it.
enum Seen {
    Damage,
    Content(Model),
}

fn read_all(dir: &Path) -> Seen {
    let store = match Store::open(dir, &identity(), &small()) {
        Ok(opened) => opened.store,
        Err(OpenError::Corrupt { .. }) => return Seen::Damage,
        Err(error) => panic!("{error}"),
    };
    let mut model = Model::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        model.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    match store.reader().scan(&[0, 1], None, &mut visit) {
        Ok(()) => Seen::Content(model),
        Err(error) if is_corruption(&error) => Seen::Damage,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_flipped_byte_never_reads_as_other_content() {
    let dir = tempfile::tempdir().unwrap();
    let model = filled(dir.path());
    let table = files(dir.path(), "sst").remove(0);
    let bytes = fs::read(&table).unwrap();
    let mut noticed = 0;
    let steps = 40;
    for step in 0..steps {
        let mut damaged = bytes.clone();
        damaged[bytes.len() * step / steps] ^= 0x10;
        fs::write(&table, damaged).unwrap();
        // Else what was noted of the step before would be noticed.
        drop(fs::remove_file(dir.path().join("db/DAMAGED")));
        match read_all(dir.path()) {
            Seen::Damage => noticed += 1,
            // Filters, indexes of hashes and properties can be damaged without changing an answer.
            Seen::Content(found) => assert_same(&found, &model, &format!("step {step}")),
        }
    }
    assert!(noticed > steps / 2, "only {noticed} of {steps} noticed");
    fs::write(&table, bytes).unwrap();
    drop(fs::remove_file(dir.path().join("db/DAMAGED")));
    assert!(matches!(read_all(dir.path()), Seen::Content(found) if found == model));
}

#[test]
fn a_damaged_store_is_set_aside_and_a_fresh_one_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let table = files(dir.path(), "sst").remove(0);
    let bytes = fs::read(&table).unwrap();
    fs::write(&table, &bytes[..bytes.len() / 2]).unwrap();
    let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    let aside = set_aside(dir.path(), 1_234).unwrap();
    assert_eq!(aside, dir.path().join("db.aside-1234"));
    assert_eq!(
        fs::read(aside.join(table.file_name().unwrap())).unwrap().len(),
        bytes.len() / 2,
        "kept as it was"
    );
    let opened = open(dir.path());
    assert_eq!(opened.found, Found::Fresh);
    drop(opened);
    assert_eq!(set_aside(dir.path(), 1_234).unwrap(), dir.path().join("db.aside-1235"), "never over another");
}

#[test]
fn tables_without_current_are_damage_and_not_an_empty_directory() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let tables = files(dir.path(), "sst");
    fs::remove_file(dir.path().join("db/CURRENT")).unwrap();
    // A log file alone would make RocksDB notice by itself.
    files(dir.path(), "log").iter().for_each(|log| fs::remove_file(log).unwrap());
    let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert_eq!(files(dir.path(), "sst"), tables, "RocksDB would have deleted them");
}

#[test]
fn damage_found_by_a_read_is_noted_and_refused_by_the_next_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).store;
    let key = |number: u32| [&[0, 1][..], &number.to_be_bytes()].concat();
    let image = |number: u32| (key(number), Some(number.to_string().repeat(20).into_bytes()));
    apply(&mut store, &(0..3000).map(image).collect(), 1, 10);
    store.close(1_000).unwrap();
    // Far from marker and metadata, which the open reads.
    let table = files(dir.path(), "sst").remove(0);
    let mut bytes = fs::read(&table).unwrap();
    let at = bytes.len() * 2 / 5;
    bytes[at] ^= 0x10;
    fs::write(&table, bytes).unwrap();

    let store = open(dir.path()).store;
    let reader = store.reader();
    let mut failures = (0..3000).filter_map(|number| reader.get(&key(number), &mut Vec::new()).err());
    let failure = failures.next().expect("the damage is noticed");
    assert!(is_corruption(&failure) && failure.to_string().contains("start again"), "{failure}");
    drop(failures);
    drop((reader, store));

    let refused = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Corrupt { message, .. } if message.contains("Corruption")),
        "{refused}"
    );
    set_aside(dir.path(), 1_234).unwrap();
    assert_eq!(open(dir.path()).found, Found::Fresh, "the note went with the store");
}

#[test]
fn a_manifest_that_is_gone_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let current = fs::read_to_string(dir.path().join("db/CURRENT")).unwrap();
    fs::remove_file(dir.path().join("db").join(current.trim())).unwrap();
    let error = Store::open(dir.path(), &identity(), &small()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Corrupt { message, .. } if message.contains(current.trim())),
        "{error}"
    );
}

#[test]
fn a_failed_flush_poisons_the_store_and_its_readers_until_it_is_reopened() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let mut store = open(dir.path()).store;
    let reader = store.reader();
    let late = Images::from([(vec![0, 1, 1], Some(b"late".to_vec()))]);
    apply(&mut store, &late, 4, 20);
    // The directory goes away under the open database: the flush cannot create its file.
    fs::rename(dir.path().join("db"), dir.path().join("gone")).unwrap();
    let failed = store.flush(1_000).unwrap_err();
    assert!(matches!(failed, StorageError::Storage { .. }), "{failed}");
    fs::rename(dir.path().join("gone"), dir.path().join("db")).unwrap();

    let poisoned = |result: Result<(), StorageError>| matches!(result, Err(StorageError::Poisoned { .. }));
    assert!(poisoned(store.flush(1_000)));
    let batch = Batch { images: std::iter::empty(), marker: &marker(5), position: 30, wall_ms: 1 };
    assert!(poisoned(store.apply(batch).map(drop)));
    assert!(poisoned(store.restore(&mut std::iter::empty(), 30, 1).map(drop)));
    let read = reader.get(&[0, 1, 1], &mut Vec::new());
    assert!(matches!(read, Err(StoreError::Storage { .. })), "{read:?}");
    assert!(poisoned(store.close(1_000)));
    drop(reader);

    let reopened = open(dir.path()).store;
    assert_eq!(reopened.position(), 10, "a prefix, and it says which");
    assert!(!content(&reopened.reader()).contains_key(&[0, 1, 1][..]));
}
