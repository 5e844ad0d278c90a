//! State directories that are not this application's, and bytes that this program does not know.
//!
//! Metadata of an unknown version and a database of somebody else need RocksDB to be made: `state/tests/store/refusal.rs`.

use std::fs;
use std::path::Path;

use millpond_topology::CHANGELOG_MARKER_KEY;

use super::{PATIENCE, ended, finish, load, refused, rows, settled, started, store};
use crate::support::kafka::{Row, append, read};
use crate::support::{Node, Verdict, World, wait_drained};

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Runs `look` with `instance.json` changed, and puts it back.
fn with_instance_json(world: &World, change: impl FnOnce(&str) -> String, look: impl FnOnce()) {
    let path = world.state("one").join(&world.app).join("instance.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
    fs::write(&path, change(&text)).unwrap_or_else(|error| panic!("{error}"));
    look();
    fs::write(&path, text).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_directory_that_is_not_this_applications_is_refused() {
    let world = settled("foreign");
    let root = world.state("one").join(&world.app);

    let other = |text: &str| text.replace(&format!("\"app\": \"{}\"", world.app), "\"app\": \"another-app\"");
    with_instance_json(&world, other, || insta::assert_snapshot!("other_app", refused(&world, &[])));
    let newer = |text: &str| text.replace("\"formatVersion\": 1", "\"formatVersion\": 9");
    with_instance_json(&world, newer, || insta::assert_snapshot!("newer_format", refused(&world, &[])));
    let rubbish = |_: &str| "no JSON".to_owned();
    with_instance_json(&world, rubbish, || insta::assert_snapshot!("rubbish", refused(&world, &[])));

    let file = world.dir.path().join("file");
    fs::write(&file, b"").unwrap_or_else(|error| panic!("{error}"));
    let file = file.display().to_string();
    let elsewhere = [("MILLPOND_STATE__DIR", file.as_str())];
    insta::assert_snapshot!("a_file", refused(&world, &elsewhere));

    // The folder of another partition, and one that another application copied into its own.
    let (first, second, aside) = (root.join("0_0"), root.join("0_1"), root.join("aside"));
    let swap = || {
        rename(&first, &aside);
        rename(&second, &first);
        rename(&aside, &second);
    };
    swap();
    insta::assert_snapshot!("other_partition", refused(&world, &[]));
    swap();

    let node = started(&world, &[]);
    load(&world, 100, 3);
    finish(&world, node);
    Verdict::of(&world, "one").assert_clean();
}

/// Returns the key of an account in task 0, and its value.
fn an_account(world: &World) -> (Vec<u8>, Vec<u8>) {
    let root = world.state("one").join(&world.app);
    let rows = rows(world, &root, 0).unwrap_or_default();
    let found = rows.into_iter().find(|(key, _)| key.starts_with(&[0, 1]));
    found.unwrap_or_else(|| panic!("no account in task 0"))
}

fn put(world: &World, key: &[u8], value: &[u8]) {
    let root = world.state("one").join(&world.app);
    let mut store = store(world, &root, 0).unwrap_or_else(|| panic!("no store of task 0"));
    let (position, wall_ms) = (store.position(), store.metadata().written_wall_ms);
    let mut rows = std::iter::once((key, Some(value)));
    store.restore(&mut rows, position, wall_ms).unwrap_or_else(|error| panic!("{error}"));
    store.close(wall_ms).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn bytes_of_a_newer_program_are_refused_and_left_as_they_are() {
    let world = settled("newer");
    let (key, value) = an_account(&world);

    // A value is looked at when a record needs it.
    let newer: Vec<u8> = [&[9], &value[1..]].concat();
    put(&world, &key, &newer);
    let mut node = started(&world, &[]);
    load(&world, 100, 3);
    insta::assert_snapshot!("value", ended(&world, &mut node));
    assert_eq!(an_account(&world), (key.clone(), newer), "the value was changed");
    put(&world, &key, &value);
    finish(&world, started(&world, &[]));
    Verdict::of(&world, "one").assert_clean();

    // A marker of a newer program in the changelog; what it replaced is written behind it by whoever made the mistake.
    let changelog = world.changelog();
    let marker = read(&world, &changelog).into_iter().rev();
    let marker = marker.into_iter().find(|row| row.partition == 0 && row.key == CHANGELOG_MARKER_KEY);
    let marker = marker.unwrap_or_else(|| panic!("no marker"));
    let bytes = marker.value.clone().unwrap_or_default();
    let newer = Row { value: Some([&[9], &bytes[1..]].concat()), ..marker.clone() };
    append(&world, &changelog, std::slice::from_ref(&newer));
    insta::assert_snapshot!("marker", refused(&world, &[]));
    append(&world, &changelog, std::slice::from_ref(&marker));
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(PATIENCE);
    wait_drained(&world, PATIENCE);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());

    // A record of store id 0 that is not the marker.
    let unknown = Row { key: vec![0, 0, 7], value: Some(vec![1]), ..marker };
    append(&world, &changelog, std::slice::from_ref(&unknown));
    insta::assert_snapshot!("reserved_key", refused(&world, &[]));
}
