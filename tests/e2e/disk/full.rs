//! No space for the stores.

use super::mount::Mount;
use super::{BUSY_DISK, PATIENCE, end_load, ended, folder, judge, load_under_way, settle, start};
use crate::support::{Node, World, group_lag, keep_figure, wait_until};

/// Lasts longer than any of these tests.
const LOAD: [&str; 8] = ["--users", "500", "--orders", "2000000", "--rate", "1500", "--seed", "61"];
/// Size of the disk, and its size after somebody made room.
const SIZE_MB: u32 = 64;
const ROOM_MB: u32 = 512;
/// What is left of it when the load is under way, KiB.
const LEFT: u64 = 128;

#[test]
fn a_full_disk_stops_the_process_with_path_and_cure_and_room_lets_it_go_on() {
    let world = World::with("diskfull", &BUSY_DISK);
    let Some(disk) = Mount::tmpfs("disk-full", &world.state("one"), SIZE_MB) else { return };
    let mut node = start(&world, &[]);
    let load = load_under_way(&world, &node, &LOAD);
    disk.fill(LEFT);
    let log = ended(&mut node);
    let path = folder(&world).display().to_string();
    assert!(log.contains("No space left on device"), "void: it ended for something else:\n{log}");
    let named = log.lines().any(|line| {
        line.contains("no space for the state store") && line.contains(&path) && line.contains("make room")
    });
    assert!(named, "path or cure is missing:\n{log}");
    // Still full: it refuses or ends again, with a word about the disk.
    disk.fill(LEFT / 4);
    let mut again = Node::start(&world, "one", &[]);
    let log = ended(&mut again);
    assert!(log.contains("No space left on device") && log.contains(&path), "{log}");
    assert!(group_lag(&world) > 0, "void: nothing was left to do");
    disk.grow(ROOM_MB);
    let node = start(&world, &[]);
    let from = node.stores("restoredFrom");
    keep_figure("disk-full", &format!("stopped and restarted, changelogs read from {from:?}"));
    settle(&world, node, load);
}

#[test]
fn control_a_store_that_ignores_write_errors_is_noticed() {
    let world = World::with("diskcontrol", &BUSY_DISK);
    let Some(disk) = Mount::tmpfs("disk-full-control", &world.state("one"), SIZE_MB) else { return };
    // Without the sink, which would notice at once that the history does not fit.
    let wrong = [("MILLPOND_MUTANT", "write-error-ignored"), ("MILLPOND_ROLES", "processor")];
    let mut node = start(&world, &wrong);
    let load = load_under_way(&world, &node, &LOAD);
    disk.fill(LEFT);
    wait_until("writes of a store fail", PATIENCE, || {
        assert!(node.is_alive(), "void: the process ended:\n{}", node.log());
        node.metric("millpond_rocksdb_background_errors") > 0.0
    });
    let missed = node.committed();
    wait_until("transactions are committed meanwhile", PATIENCE, || node.committed() > missed + 2000);
    disk.grow(ROOM_MB);
    // RocksDB notices the room within seconds, and takes what comes from then on.
    std::thread::sleep(std::time::Duration::from_secs(12));
    end_load(load);
    wait_until("the input is processed", PATIENCE, || group_lag(&world) == 0);
    node.stop();
    let (code, text) = judge(&world);
    assert_eq!(code, Some(3), "the oracle notices nothing:\n{text}");
}
