//! Brokers that die, stop, or forget: the application on Kafka brokers of the test's own.

mod expired;
mod in_sync;
mod lost_end;
mod one_broker;
mod roles;
mod timeout;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Layout};
use crate::rig::{self, Figures, PATIENCE, SETTINGS};
use crate::support::{Background, Node, World, group_lag, wait_drained, wait_until};

/// Every topic of the application with three replicas, and so with two in sync at least.
const THREE_REPLICAS: [(&str, &str); 5] = [
    ("MILLPOND_TOPICS__ORDERS__REPLICATION", "3"),
    ("MILLPOND_TOPICS__COMMANDS__REPLICATION", "3"),
    ("MILLPOND_TOPICS__ACCOUNTS__REPLICATION", "3"),
    ("MILLPOND_TOPICS__DEADLETTER__REPLICATION", "3"),
    ("MILLPOND_TOPICS__CHANGELOG__REPLICATION", "3"),
];
/// What a commit that was under way when something broke may take until it is counted.
const UNDER_WAY: Duration = Duration::from_millis(250);

/// An application on brokers of its own.
struct Scene {
    // Field order is drop order.
    node: Node,
    world: World,
    cluster: Cluster,
    began: Instant,
    name: String,
}

impl Scene {
    /// Starts brokers and application, and waits until it runs.
    fn start(name: &str, layout: &Layout, extra: &[(&str, &str)]) -> Self {
        let began = Instant::now();
        let cluster = Cluster::start(layout);
        let settings = [&SETTINGS, extra].concat();
        let world = World::on(&cluster.addresses(), name, &settings);
        let mut node = Node::start(&world, "one", &[]);
        node.wait_ready(PATIENCE);
        eprintln!("{name}: brokers and application run after {:.1?}", began.elapsed());
        Self { node, world, cluster, began, name: name.to_owned() }
    }

    /// Starts a load and waits until work is under way.
    fn load(&self, seconds: u64, rate: u64) -> Background {
        let before = self.node.committed();
        let load = rig::start_load(&self.world, seconds, rate);
        wait_until("work is under way", PATIENCE, || self.node.committed() > before + 200);
        load
    }

    /// Waits until all that was written is processed and in the database.
    fn drain(&mut self) {
        wait_until("the input is processed", PATIENCE, || {
            assert!(self.node.is_alive(), "the process ended:\n{}", self.node.log());
            group_lag(&self.world) == 0
        });
        wait_drained(&self.world, PATIENCE);
    }

    /// Ends the load, waits until all is processed, stops, lets the oracle judge, and prints what the faults cost.
    fn finish(mut self, mut load: Background) -> Figures {
        // What it has not written yet is nobody's loss.
        let _ = load.kill();
        let _ = load.wait();
        self.drain();
        let figures = Figures::of(&self.node);
        assert_eq!(self.node.stop().code(), Some(0), "{}", self.node.log());
        self.world.verify(&["one"]);
        eprintln!("{}: {figures}; clean after {:.0?}", self.name, self.began.elapsed());
        figures
    }

    /// Begins to watch when every task commits again.
    fn watch(&self) -> Pause {
        Pause { begun: Instant::now(), before: BTreeMap::new() }
    }
}

/// The time from a fault until every task has committed again.
struct Pause {
    begun: Instant,
    /// What each task had committed when the fault hit.
    before: BTreeMap<String, i64>,
}

impl Pause {
    /// Returns the time, once it is over.
    fn over(&mut self, node: &Node) -> Option<Duration> {
        if self.begun.elapsed() < UNDER_WAY || self.before.is_empty() {
            for (task, committed) in committed_by_task(node) {
                self.before.insert(task, committed);
            }
            return None;
        }
        let now = committed_by_task(node);
        let goes_on = |(task, before): (&String, &i64)| now.get(task).is_some_and(|now| now > before);
        self.before.iter().all(goes_on).then(|| self.begun.elapsed())
    }

    /// Waits until it is over.
    fn wait(&mut self, node: &mut Node) -> Duration {
        self.wait_doing(node, || {})
    }

    /// Waits until it is over, and does in between what is to be done all the time.
    fn wait_doing(&mut self, node: &mut Node, mut act: impl FnMut()) -> Duration {
        let mut took = None;
        wait_until("every task commits again", PATIENCE * 2, || {
            assert!(node.is_alive(), "the process ended:\n{}", node.log());
            act();
            took = self.over(node);
            took.is_some()
        });
        took.unwrap_or_default()
    }
}

/// Returns the sum of the committed input offsets of each task.
fn committed_by_task(node: &Node) -> BTreeMap<String, i64> {
    let status = node.status().unwrap_or_default();
    let tasks = status["tasks"].as_array().into_iter().flatten();
    tasks
        .filter_map(|task| {
            let inputs = task["inputs"].as_array()?.iter();
            let committed = inputs.filter_map(|input| input["committed"].as_i64()).sum();
            Some((task["id"].as_str()?.to_owned(), committed))
        })
        .collect()
}
