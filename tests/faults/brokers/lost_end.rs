//! A partition in which the brokers lost the end of a transaction that its coordinator takes for complete: the next marker of
//! the same producer would end it too, whichever way.

use std::time::Duration;

use super::Scene;
use crate::cluster::Layout;
use crate::lost_ends::{LostEnds, end_lost};
use crate::rig::{self, PATIENCE, failed_checks, finish_load};
use crate::support::{Ends, Node, group_lag, wait_until};

/// The partition, and one producer for all of them.
const PARTITION: usize = 2;
const ONE_THREAD: (&str, &str) = ("MILLPOND_THREADS", "1");
/// Lets a test write without a coordinator's knowledge what a broker keeps that lost an end.
const UNASKED: (&str, &str) = ("transaction.partition.verification.enable", "false");

/// Runs an application, stops it, and leaves in an output what an aborted transaction of it would have left.
fn with_a_lost_end(name: &str) -> (Scene, String) {
    let mut scene = Scene::start(name, &Layout::one(&[UNASKED]), &[ONE_THREAD]);
    let load = scene.load(3, 400);
    finish_load(load);
    scene.drain();
    assert_eq!(scene.node.stop().code(), Some(0), "{}", scene.node.log());
    let topic = scene.world.topic("account.events");
    let partition = i32::try_from(PARTITION).unwrap_or_default();
    scene.cluster.leave_open("lost-end", &topic, partition, ("nobody", "of an aborted transaction"));
    (scene, topic)
}

fn pinned(scene: &Scene, topic: &str) -> bool {
    Ends::of(&scene.world, topic).open() == [PARTITION]
}

#[test]
fn an_aborted_transaction_whose_end_was_lost_does_not_become_visible() {
    let (mut scene, topic) = with_a_lost_end("lost-end");
    assert!(pinned(&scene, &topic), "void: nothing is open");
    scene.node = Node::start(&scene.world, "one", &[]);
    let load = rig::start_load(&scene.world, 20, 400);
    let place = format!("{topic}-{PARTITION}");
    wait_until("it says what it waits for", PATIENCE, || {
        assert!(scene.node.is_alive(), "the process ended:\n{}", scene.node.log());
        let status = scene.node.status().unwrap_or_default().to_string();
        status.contains(&format!("{place}: a transaction of the past is open there"))
    });
    wait_until("it is not ready", PATIENCE, || {
        scene.node.get("/readyz").is_some_and(|(code, body)| code == 503 && body.contains(&place))
    });
    let before = scene.node.committed();
    std::thread::sleep(Duration::from_secs(4));
    assert!(pinned(&scene, &topic), "the end that was lost was written by somebody");
    assert_eq!(scene.node.committed(), before, "work went on over a lost end");
    // This broker takes records that no coordinator knows of, so that nothing is known of this one.
    let shown = scene.world.ok(&["transactions", "show"]);
    assert!(shown.contains(&topic) && shown.contains("unknown"), "{shown}");
    assert_eq!(end_lost(&scene.world), LostEnds::default(), "it guessed");
    assert!(pinned(&scene, &topic), "it guessed");
    assert_eq!(scene.cluster.abort(&topic, i32::try_from(PARTITION).unwrap_or_default()), 1);
    scene.node.wait_ready(PATIENCE);
    scene.finish(load);
}

#[test]
fn control_a_lost_end_that_is_not_looked_for_is_noticed() {
    let (mut scene, topic) = with_a_lost_end("lost-end-taken");
    assert!(pinned(&scene, &topic), "void: nothing is open");
    scene.node = Node::start(&scene.world, "one", &[("MILLPOND_MUTANT", "lost-end-taken")]);
    finish_load(rig::start_load(&scene.world, 3, 400));
    wait_until("everything is processed, or the process ended", PATIENCE, || {
        !scene.node.is_alive() || group_lag(&scene.world) == 0
    });
    if scene.node.is_alive() {
        std::thread::sleep(Duration::from_secs(1));
        scene.node.stop();
    }
    assert!(!pinned(&scene, &topic), "void: nothing ended what was left open");
    let output = scene.world.command("one", &["verify"]).output();
    let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "the oracle did not notice `lost-end-taken`:\n{text}");
    eprintln!("lost-end-taken: noticed by {}", failed_checks(&text));
}
