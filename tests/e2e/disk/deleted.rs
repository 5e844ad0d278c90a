//! The state directory is deleted under the process.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{BUSY_DISK, PATIENCE, ended, folder, load_under_way, settle, start};
use crate::support::{Node, World, keep_figure, wait_until};

/// Flushes are left out: only the look at the directory itself can notice.
const SELDOM: [(&str, &str); 2] = [("MILLPOND_STATE__FLUSH_INTERVAL", "10m"), ("MILLPOND_THREADS", "4")];

const LOAD: [&str; 8] = ["--users", "500", "--orders", "2000000", "--rate", "1000", "--seed", "63"];

/// Deletes a folder as `rm -rf` does, again and again if need be: the process may create files in it meanwhile.
fn delete(folder: &Path) {
    wait_until("the folder is gone", PATIENCE, || {
        let _ = std::fs::remove_dir_all(folder);
        !folder.exists()
    });
}

/// Returns the records of a task's first restore in a log, which must have begun at the beginning.
fn restored_from_start(log: &str, task: &str) -> u64 {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let first = lines.into_iter().find(|line| line["message"] == "restored" && line["task"] == task);
    let first = first.unwrap_or_else(|| panic!("{task} is not restored:\n{log}"));
    assert_eq!(first["from"], 0, "{task} is not restored from the beginning: {first}");
    first["records"].as_u64().unwrap_or(0)
}

#[test]
fn a_deleted_directory_stops_the_process_and_the_changelog_gives_everything_back() {
    let world = World::with("diskgone", &SELDOM);
    let mut node = start(&world, &[]);
    let load = load_under_way(&world, &node, &LOAD);
    let begun = Instant::now();
    delete(&folder(&world));
    let log = ended(&mut node);
    let took = begun.elapsed();
    let path = folder(&world).display().to_string();
    let named = log.lines().any(|line| {
        line.contains(&format!("{path} was deleted or replaced under this process"))
            && line.contains("start again")
    });
    assert!(named, "path or cure is missing:\n{log}");
    assert!(took < Duration::from_secs(40), "noticed after {took:?} only");
    // Fewer threads than before: the transactional ids of the others are forgotten with the directory, and what they had
    // open must neither block the restore nor ever become visible.
    let node = start(&world, &[("MILLPOND_THREADS", "1")]);
    let rows: u64 = (0..4).map(|partition| restored_from_start(&node.log(), &format!("0_{partition}"))).sum();
    assert!(rows > 1500, "void: only {rows} rows restored");
    keep_figure("disk-deleted", &format!("noticed after {took:.1?}, {rows} changelog records restored"));
    settle(&world, node, load);
}

#[test]
fn a_task_deleted_in_a_running_process_stops_it_at_the_next_flush() {
    let world = World::with("tasksgone", &BUSY_DISK);
    let mut node = start(&world, &[]);
    let load = load_under_way(&world, &node, &LOAD);
    let task = folder(&world).join("0_1");
    delete(&task);
    let log = ended(&mut node);
    let named = log.lines().any(|line| {
        line.contains("store of task 0_1") && line.contains("No such file") && line.contains("cure the disk")
    });
    assert!(named, "task or cure is missing:\n{log}");
    let node = start(&world, &[]);
    restored_from_start(&node.log(), "0_1");
    settle(&world, node, load);
}

#[test]
fn another_process_started_in_its_place_does_not_share_its_tasks() {
    let world = World::with("diskswap", &SELDOM);
    let mut node = start(&world, &[]);
    let load = load_under_way(&world, &node, &LOAD);
    // The directory is moved away: the next process finds neither lock nor stores, and has the same instance id.
    let moved = world.dir.path().join("moved");
    std::fs::rename(folder(&world), &moved).unwrap_or_else(|error| panic!("{error}"));
    let mut second = Node::start(&world, "one", &[]);
    let log = ended(&mut node);
    assert!(log.contains("was deleted or replaced") || log.contains("instance id"), "{log}");
    second.wait_ready(PATIENCE);
    settle(&world, second, load);
}
