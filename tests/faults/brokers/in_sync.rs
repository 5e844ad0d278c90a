//! Fewer replicas in sync than a write needs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Scene, THREE_REPLICAS};
use crate::cluster::{Layout, Quorum};
use crate::rig::PATIENCE;
use crate::support::{keep_figure, wait_until};

/// How long two of three brokers stand still; 120 s were also run.
fn outage() -> Duration {
    let set = std::env::var("MILLPOND_TEST_ISR_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(set.unwrap_or(20))
}

#[test]
fn too_few_replicas_in_sync_stop_the_work_which_goes_on_by_itself_when_they_are_back() {
    let mut scene = Scene::start("in-sync", &Layout::three(Quorum::First, &[]), &THREE_REPLICAS);
    scene.cluster.wait_in_sync();
    let load = scene.load(300 + outage().as_secs(), 500);
    let changelog = scene.world.changelog();
    // The controller is broker 1 and goes on.
    scene.cluster.freeze(2);
    scene.cluster.freeze(3);
    wait_until("one replica is left in sync", PATIENCE, || {
        (0..4).all(|partition| scene.cluster.in_sync(&changelog, partition) == BTreeSet::from([1]))
    });
    let stalled = scene.node.committed();
    std::thread::sleep(outage());
    assert!(scene.node.is_alive(), "the process ended:\n{}", scene.node.log());
    assert!(scene.node.committed() <= stalled, "void: work went on without replicas");
    let log = scene.node.log();
    // The two that stand still may be the group's coordinator, and then membership is what is lost first.
    let says = ["are enough replicas in sync", "no answer from the group coordinator"];
    assert!(says.iter().any(|says| log.contains(says)), "it does not say what is wrong:\n{log}");
    let status = scene.node.status().unwrap_or_default();
    let waits = status["waits"].as_array().is_some_and(|waits| !waits.is_empty());
    assert!(
        status["lastError"].is_string() || waits,
        "it does not say that something is wrong: {status}\n{log}"
    );
    eprintln!("it says: {}, {}", status["lastError"], status["waits"]);
    let mut pause = scene.watch();
    scene.cluster.thaw(2);
    scene.cluster.thaw(3);
    let took = pause.wait(&mut scene.node);
    keep_figure("replicas-back", &format!("all tasks committed again after {:.1} s", took.as_secs_f64()));
    scene.cluster.wait_in_sync();
    scene.finish(load);
}
