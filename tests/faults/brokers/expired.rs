//! What an idle process had at the brokers has expired.

use super::Scene;
use crate::cluster::Layout;
use crate::rig::{PATIENCE, finish_load};
use crate::support::{Background, wait_until};

#[test]
fn an_idle_process_whose_producer_state_has_expired_goes_on() {
    let short = [("producer.id.expiration.ms", "3000"), ("producer.id.expiration.check.interval.ms", "500")];
    let mut scene = Scene::start("producer-expired", &Layout::one(&short), &[]);
    finish_load(scene.load(2, 500));
    scene.drain();
    let changelog = scene.world.changelog();
    let remembered = (0..4).filter(|p| scene.cluster.producers(&changelog, *p).is_some_and(|n| n > 0));
    assert!(remembered.count() > 0, "void: the brokers remembered no producer");
    wait_until("the brokers forget the producers", PATIENCE, || {
        (0..4).all(|partition| scene.cluster.producers(&changelog, partition) == Some(0))
    });
    let load = scene.load(3, 500);
    finish(scene, load);
}

#[test]
fn an_idle_process_whose_transactional_id_has_expired_goes_on() {
    let short = [
        ("transactional.id.expiration.ms", "3000"),
        ("transaction.remove.expired.transaction.cleanup.interval.ms", "500"),
    ];
    let mut scene = Scene::start("id-expired", &Layout::one(&short), &[]);
    finish_load(scene.load(2, 500));
    scene.drain();
    let ids: Vec<_> = (0..2).map(|thread| format!("{}-one-{thread}-a", scene.world.app)).collect();
    wait_until("the coordinator forgets the transactional ids", PATIENCE, || {
        ids.iter().all(|id| scene.cluster.knows_transactional_id(id) == Some(false))
    });
    let load = scene.load(3, 500);
    finish(scene, load);
}

/// The same process has processed everything.
fn finish(scene: Scene, mut load: Background) {
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
    eprintln!("{}", scene.node.log());
    scene.finish(load);
}
