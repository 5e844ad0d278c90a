//! The stores' disk cannot be written, from the start or all of a sudden.

use super::mount::Mount;
use super::{BUSY_DISK, end_load, ended, folder, load_under_way, refused, settle, start};
use crate::support::{Node, World};

const LOAD: [&str; 8] = ["--users", "500", "--orders", "2000000", "--rate", "1000", "--seed", "62"];

#[test]
fn a_disk_that_turns_read_only_stops_the_process_until_it_is_cured() {
    let world = World::with("diskro", &BUSY_DISK);
    let mut node = start(&world, &[]);
    let load = load_under_way(&world, &node, &LOAD);
    let Some(view) = Mount::read_only("disk-read-only", &world.state("one")) else {
        return end_load(load);
    };
    let log = ended(&mut node);
    let path = folder(&world).display().to_string();
    let named = log.lines().any(|line| {
        line.contains("Read-only file system") && line.contains(&path) && line.contains("cure the disk")
    });
    assert!(named, "void, or path or cure is missing:\n{log}");
    // As it is, no process starts on it.
    let mut again = Node::start(&world, "one", &[]);
    let log = refused(&mut again);
    let lock = folder(&world).join("lock").display().to_string();
    assert!(log.contains(&format!("{lock} cannot be written: Read-only file system")), "{log}");
    assert!(log.contains("make state.dir writable"), "no cure:\n{log}");
    drop(view);
    let node = start(&world, &[]);
    settle(&world, node, load);
}

#[test]
fn a_state_directory_that_cannot_be_created_is_refused_with_path_and_cure() {
    let world = World::new("diskclosed");
    let Some(view) = Mount::read_only("disk-closed", &world.state("one")) else { return };
    let mut again = Node::start(&world, "one", &[]);
    let log = refused(&mut again);
    let path = folder(&world).display().to_string();
    assert!(log.contains(&format!("{path} cannot be written: Read-only file system")), "{log}");
    assert!(log.contains("make state.dir writable"), "no cure:\n{log}");
    drop(view);
    let mut node = start(&world, &[]);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
}
