//! Who owns a task: members that pause, lie dead, return, share a name, come and go, and what that may never change.
//!
//! Every scenario says what it hit, and is void when that is nothing.

mod churn;
mod gate;
mod hand_back;
mod hand_over;
mod puppet;
mod restore;
mod twins;
mod zombie;

use std::time::Duration;

use crate::support::{Background, Node, World, wait_drained, wait_until};

/// Longest wait for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest scenario under load.
const LOAD_MAX: Duration = Duration::from_secs(400);
/// A process whose name in the group is given by the broker.
const DYNAMIC: (&str, &str) = ("MILLPOND_INSTANCE__ID", "");
/// Leaves the group when it stops, also with a static name.
const LEAVES: (&str, &str) = ("MILLPOND_MEMBERSHIP__LEAVE", "always");
/// All tasks of a process in one transaction.
const ONE_THREAD: (&str, &str) = ("MILLPOND_THREADS", "1");

/// A load that outlasts any machine; what it has written when it is ended is judged.
struct Load(Background);

impl Load {
    fn start(world: &World, rate: u64, more: &[&str]) -> Self {
        // The generator prepares all of them first: no more than are needed.
        let (orders, rate) = ((rate * LOAD_MAX.as_secs()).to_string(), rate.to_string());
        let args = ["--users", "300", "--orders", &orders, "--rate", &rate, "--seed", "4"];
        Self(world.start_load(&[&args, more].concat()))
    }

    fn end(mut self) {
        assert!(self.0.try_wait().is_ok_and(|status| status.is_none()), "the load ended by itself");
        assert!(self.0.kill().is_ok(), "load");
    }
}

/// Waits until `node` commits more than it has.
fn wait_work(node: &Node) {
    let before = node.transactions("committed");
    wait_until("work goes on", PATIENCE, || node.transactions("committed") > before);
}

/// Ends the load, waits until all of it is processed, stops `nodes`, and lets the oracle judge all `states`.
fn finish(world: &World, load: Load, nodes: &mut [&mut Node], states: &[&str]) {
    load.end();
    wait_drained(world, PATIENCE * 2);
    for node in nodes.iter_mut() {
        assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    }
    world.verify(states);
}
