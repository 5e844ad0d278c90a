//! Files of a store that are damaged or gone.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{BUSY_DISK, PATIENCE, ended, folder, judge, settle_node, start};
use crate::support::{Node, World, group_lag, keep_figure, wait_drained, wait_until};

/// Written twice by each test: the second time every order is one that was decided before, which is looked up in the store.
const LOAD: [&str; 10] =
    ["--users", "1000", "--orders", "8000", "--rate", "0", "--seed", "64", "--others", "0"];

/// Least size of a block on disk, bytes: compressed to a quarter.
const BLOCK_MIN: u64 = 1024;

/// A world whose stores have several tables, and which is stopped.
fn filled(name: &str) -> World {
    let world = World::with(name, &BUSY_DISK);
    let mut node = start(&world, &[]);
    world.load(&LOAD);
    wait_until("the input is processed", PATIENCE, || group_lag(&world) == 0);
    wait_drained(&world, PATIENCE);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world
}

/// Returns the tables of a task, oldest first: their names are numbers that grow.
fn tables(world: &World, task: &str) -> Vec<PathBuf> {
    let folder = folder(world).join(task).join("db");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "sst"));
    found.sort();
    assert!(!found.is_empty(), "no tables in {}", folder.display());
    found
}

/// Returns a task's tables that have rows enough for several blocks, oldest first. In a small one a bit in the middle may be
/// one of its properties, which are read when the store is opened.
fn with_blocks(world: &World, task: &str) -> Vec<PathBuf> {
    let mut found = tables(world, task);
    found.retain(|path| fs::metadata(path).is_ok_and(|data| data.len() > 16 * 1024));
    assert!(!found.is_empty(), "void: {task} has only small tables");
    found
}

/// Turns a bit in every block of a table's first half, in place. Its filters and indexes lie behind it; the first blocks hold
/// what is read when the store is opened, and stay.
fn flip(table: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(table);
    let file = file.unwrap_or_else(|error| panic!("{}: {error}", table.display()));
    let rows = file.metadata().map_or(0, |data| data.len()) / 2;
    let places = (8..).map(|place| place * BLOCK_MIN).take_while(|at| *at < rows);
    for at in places.chain([rows * 4 / 5]) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap_or_else(|error| panic!("{error}"));
        byte[0] ^= 0x10;
        file.write_all_at(&byte, at).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Says whether a task has a store that was set aside.
fn is_set_aside(world: &World, task: &str) -> bool {
    let entries = fs::read_dir(folder(world).join(task)).unwrap_or_else(|error| panic!("{task}: {error}"));
    entries.filter_map(Result::ok).any(|entry| entry.file_name().to_string_lossy().starts_with("db.aside-"))
}

/// Asserts that the log says which store was set aside and that it is rebuilt.
fn assert_rebuilt(log: &str, task: &str) {
    let is_it = |line: &&str| line.contains("rebuilt from the changelog") && line.contains("set aside");
    assert!(log.lines().filter(is_it).any(|line| line.contains(task)), "{task} is not rebuilt:\n{log}");
}

/// Starts the process as often as it ends by itself for damage, until all input is processed; the log of all runs.
fn run_until_drained(world: &World) -> (Node, String, u32) {
    let (mut log, mut ends) = (String::new(), 0);
    loop {
        let mut node = Node::start(world, "one", &[]);
        wait_until("everything is processed, or the process ended", PATIENCE, || {
            !node.is_alive() || (node.runs(4) && group_lag(world) == 0)
        });
        log += &node.log();
        if node.is_alive() {
            return (node, log, ends);
        }
        let last = ended(&mut node);
        assert!(last.contains("Corruption") && last.contains(".sst"), "ended for something else:\n{last}");
        assert!(last.contains("start again"), "no cure:\n{last}");
        ends += 1;
        assert!(ends <= 6, "it does not get over the damage:\n{log}");
    }
}

#[test]
fn a_flipped_byte_is_found_and_the_store_rebuilt() {
    let world = filled("flipped");
    let old = tables(&world, "0_0").first().cloned().unwrap_or_default();
    let large = with_blocks(&world, "0_2");
    flip(&old);
    large.iter().for_each(|table| flip(table));
    world.load(&[&LOAD[..], &["--skip-funding"]].concat());
    let (node, log, ends) = run_until_drained(&world);
    for task in ["0_0", "0_2"] {
        assert_rebuilt(&log, task);
        assert!(is_set_aside(&world, task), "{task}: the damaged store is not kept");
    }
    keep_figure("disk-flipped", &format!("both stores rebuilt, {ends} of them after a stop at a read"));
    settle_node(&world, node);
}

#[test]
fn a_byte_flipped_under_the_running_process_is_found_when_it_is_read() {
    let world = filled("flippedlive");
    let mut node = start(&world, &[]);
    // Each of them: any one may be compacted away, or hold nothing that is read.
    with_blocks(&world, "0_3").iter().for_each(|table| flip(table));
    world.load(&[&LOAD[..], &["--skip-funding"]].concat());
    let log = ended(&mut node);
    let named = log.lines().any(|line| line.contains("Corruption") && line.contains("start again"));
    assert!(named && log.contains("0_3"), "void, or task or cure is missing:\n{log}");
    let (node, log, _) = run_until_drained(&world);
    assert_rebuilt(&log, "0_3");
    settle_node(&world, node);
}

#[test]
fn control_damage_read_as_absent_is_noticed() {
    let world = filled("flippedcontrol");
    with_blocks(&world, "0_3").iter().for_each(|table| flip(table));
    world.load(&[&LOAD[..], &["--skip-funding"]].concat());
    let mut node = Node::start(&world, "one", &[("MILLPOND_MUTANT", "damage-as-absent")]);
    wait_until("everything is processed, or the process ended", PATIENCE, || {
        !node.is_alive() || (node.runs(4) && group_lag(&world) == 0)
    });
    if node.is_alive() {
        node.stop();
    }
    let (code, text) = judge(&world);
    assert_eq!(code, Some(3), "the oracle notices nothing:\n{text}\n{}", node.log());
    assert!(text.contains("outcome"), "noticed by something else:\n{text}");
}

#[test]
fn stores_without_current_or_manifest_are_rebuilt() {
    let world = filled("lostfiles");
    let current = |task: &str| folder(&world).join(task).join("db/CURRENT");
    let manifest = fs::read_to_string(current("0_1")).unwrap_or_else(|error| panic!("{error}"));
    let manifest = folder(&world).join("0_1/db").join(manifest.trim());
    for file in [current("0_0"), manifest] {
        fs::remove_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    world.load(&["--users", "1000", "--orders", "5000", "--rate", "0", "--seed", "65", "--skip-funding"]);
    let node = start(&world, &[]);
    let log = node.log();
    assert_rebuilt(&log, "0_0");
    assert_rebuilt(&log, "0_1");
    assert!(is_set_aside(&world, "0_0") && is_set_aside(&world, "0_1"), "not kept");
    let from = node.stores("restoredFrom");
    assert_eq!((from.get("0_0"), from.get("0_1")), (Some(&0), Some(&0)), "{from:?}");
    assert!(from.get("0_2").is_some_and(|from| *from > 0), "the others are left as they are: {from:?}");
    settle_node(&world, node);
}
