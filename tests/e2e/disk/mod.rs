//! The disk under the state directory fills up, becomes read-only, loses the directory or files of it, or turns a byte; and
//! the memory of a process with many accounts.
//!
//! Asked each time: the process stops with a message that names the place and the cure, or rebuilds what is damaged; it never
//! goes on without what Kafka has committed; the next start is clean, and so is the oracle.

mod damaged;
mod deleted;
mod full;
mod memory;
mod mount;
mod read_only;

use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Background, Node, World, group_lag, wait_drained, wait_until};

/// Longest wait for what takes a few seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Flushes and compactions every moment, so that the disk is touched all the time.
const BUSY_DISK: [(&str, &str); 4] = [
    ("MILLPOND_STATE__FLUSH_ROWS", "1000"),
    ("MILLPOND_STATE__FLUSH_INTERVAL", "500ms"),
    ("MILLPOND_STATE__MEMORY_BUDGET", "16MiB"),
    ("MILLPOND_THREADS", "2"),
];

/// Starts an instance and waits until it runs.
fn start(world: &World, extra: &[(&str, &str)]) -> Node {
    let mut node = Node::start(world, "one", extra);
    node.wait_ready(PATIENCE);
    node
}

/// Starts a load and waits until a part of it is committed.
fn load_under_way(world: &World, node: &Node, args: &[&str]) -> Background {
    let before = node.committed();
    let load = world.start_load(args);
    wait_until("work is under way", PATIENCE, || node.committed() > before + 2000);
    load
}

/// Waits until the process has ended by itself with exit code 1, and returns what it logged.
fn ended(node: &mut Node) -> String {
    ended_with(node, 1)
}

/// Waits until a process that may not start has said so, and returns what it logged.
fn refused(node: &mut Node) -> String {
    ended_with(node, 4)
}

fn ended_with(node: &mut Node, code: i32) -> String {
    let status = node.wait_end(PATIENCE);
    let log = node.log();
    assert_eq!(status.code(), Some(code), "{log}");
    log
}

/// Ends a load that outlasts the fault, lets everything be processed, stops cleanly and lets the oracle judge.
fn settle(world: &World, node: Node, load: Background) {
    end_load(load);
    settle_node(world, node);
}

fn settle_node(world: &World, mut node: Node) {
    wait_until("the input is processed", PATIENCE, || {
        assert!(node.is_alive(), "the process ended:\n{}", node.log());
        group_lag(world) == 0
    });
    wait_drained(world, PATIENCE);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}

fn end_load(mut load: Background) {
    // It may have come to its own end before.
    let _ = load.kill();
    let _ = load.wait();
}

/// Returns the application's folder below an instance's `state.dir`.
fn folder(world: &World) -> PathBuf {
    world.state("one").join(&world.app)
}

/// Returns the oracle's exit code and what it said.
fn judge(world: &World) -> (Option<i32>, String) {
    let output = world.command("one", &["verify"]).output();
    let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}
