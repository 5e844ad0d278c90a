//! A state directory of format version 1, kept as files: what version 1 wrote must stay readable.
//!
//! Written once, into a folder named by `MILLPOND_FIXTURE`, by `cargo test --release -p millpond-state --test
//! store -- write_the_fixture`, and never written again for version 1.

use std::fs;
use std::path::{Path, PathBuf};

use millpond_state::{Directory, Found, Store};
use millpond_topology::TaskId;

use crate::support::{Images, Model, apply, content, identity, open, small};

/// Files of a database that are needed to open it; the rest are locks, logs and a copy of the options.
const NEEDED: [&str; 4] = ["CURRENT", "IDENTITY", "MANIFEST", ".sst"];

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn batches() -> [Images; 2] {
    let image = |key: &[u8], value: Option<&[u8]>| (key.to_vec(), value.map(<[u8]>::to_vec));
    [
        Images::from([image(&[0, 1, 7], Some(b"first")), image(&[0, 1, 8], Some(b"second"))]),
        Images::from([image(&[0, 1, 8], None), image(&[0, 2, 0, 0], Some(b"\x01\x00\xff"))]),
    ]
}

#[test]
fn a_directory_of_format_version_1_still_opens() {
    let copy = tempfile::tempdir().unwrap();
    copy_tree(&kept(), copy.path());
    let directory = Directory::open(copy.path(), "app", None).unwrap();
    assert_eq!(directory.instance_id(), "fixture");
    assert_eq!(directory.transactional_ids(), ["app-fixture-0-a"]);
    assert_eq!(directory.tasks_on_disk().unwrap(), [TaskId::new(0, 3)]);
    let opened = Store::open(&directory.task_dir(TaskId::new(0, 3)), &identity(), &small()).unwrap();
    let Found::Existing { metadata, marker } = opened.found else { panic!("nothing found") };
    assert_eq!((metadata.position, metadata.written_wall_ms), (20, 1_000));
    assert_eq!(metadata.changelog_topic_id, [5; 16]);
    assert_eq!(marker.unwrap().sequence, 2);
    let want = [(vec![0, 1, 7], b"first".to_vec()), (vec![0, 2, 0, 0], b"\x01\x00\xff".to_vec())];
    assert_eq!(content(&opened.store.reader()), Model::from(want));
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = entry.map(|e| (e.path(), to.join(e.file_name()))).unwrap();
        if path.is_dir() {
            copy_tree(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Has nothing to do unless `MILLPOND_FIXTURE` names a folder.
#[test]
fn write_the_fixture() {
    let Some(target) = std::env::var_os("MILLPOND_FIXTURE") else { return };
    let made = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(made.path(), "app", Some("fixture")).unwrap();
    directory.record_transactional_id("app-fixture-0-a").unwrap();
    let task = directory.task_dir(TaskId::new(0, 3));
    let mut store = open(&task).store;
    store.set_changelog_topic_id([5; 16]).unwrap();
    for (at, images) in (1..).zip(&batches()) {
        apply(&mut store, images, at, i64::try_from(at).unwrap() * 10);
    }
    store.close(1_000).unwrap();
    drop(directory);
    fs::remove_file(made.path().join("lock")).unwrap();
    for entry in fs::read_dir(task.join("db")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !NEEDED.iter().any(|needed| name.contains(needed)) {
            fs::remove_file(&path).unwrap();
        }
    }
    copy_tree(made.path(), Path::new(&target));
}
