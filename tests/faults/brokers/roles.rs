//! Three brokers: whoever has a role is killed, and comes back in sync before the next.

use std::time::Duration;

use super::{Scene, THREE_REPLICAS};
use crate::cluster::{Layout, Quorum, Role};
use crate::rig::PATIENCE;
use crate::support::{keep_figure, wait_until};

#[test]
fn leader_coordinators_and_controller_are_killed_in_turn_and_everything_stays_exact() {
    let mut scene = Scene::start("roles", &Layout::three(Quorum::All, &[]), &THREE_REPLICAS);
    let world = &scene.world;
    let roles = [
        ("leader of an input", Role::Leader(world.topic("order.events"), 0)),
        ("leader of a changelog", Role::Leader(world.changelog(), 1)),
        ("transaction coordinator", Role::Transactions(format!("{}-one-0-a", world.app))),
        ("group coordinator", Role::Group(world.app.clone())),
        ("controller", Role::Controller),
    ];
    scene.cluster.wait_in_sync();
    let load = scene.load(300, 500);
    let mut lines = Vec::new();
    for (name, role) in roles {
        lines.push(kill(&mut scene, name, &role));
    }
    keep_figure("brokers-killed", &lines.join("; "));
    scene.finish(load);
}

/// Kills whoever has a role, waits until another has it and all tasks commit again, and brings the dead one back.
fn kill(scene: &mut Scene, name: &str, role: &Role) -> String {
    let mut held = None;
    wait_until("somebody has the role", PATIENCE, || {
        held = scene.cluster.holder(role);
        held.is_some()
    });
    let held = held.unwrap();
    let before = scene.node.committed();
    wait_until("work is under way", PATIENCE, || scene.node.committed() > before + 100);
    let mut pause = scene.watch();
    scene.cluster.kill(held);
    let (mut moved, mut went_on) = (None, None);
    wait_until("another broker has the role and every task commits again", PATIENCE, || {
        assert!(scene.node.is_alive(), "the process ended:\n{}", scene.node.log());
        went_on = went_on.or_else(|| pause.over(&scene.node));
        if moved.is_none() && scene.cluster.holder(role).is_some_and(|now| now != held) {
            moved = Some(pause.begun.elapsed());
        }
        moved.is_some() && went_on.is_some()
    });
    let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
    let line = format!(
        "{name}: moved after {:.1} s, all tasks committed again after {:.1} s",
        seconds(moved),
        seconds(went_on)
    );
    eprintln!("broker {held} killed, {line}");
    // Also after the role has moved: those who still ask the dead one.
    scene.watch().wait(&mut scene.node);
    scene.cluster.restart(held);
    scene.cluster.wait_in_sync();
    line
}
