//! The only broker is killed and comes back.

use super::Scene;
use crate::cluster::Layout;
use crate::support::keep_figure;

/// Times that the broker is killed.
const KILLS: usize = 3;

#[test]
fn the_only_broker_is_killed_under_load_and_work_goes_on_when_it_is_back() {
    let mut scene = Scene::start("one-broker", &Layout::one(&[]), &[]);
    let load = scene.load(120, 600);
    let mut times = Vec::new();
    for _ in 0..KILLS {
        let mut pause = scene.watch();
        scene.cluster.kill(1);
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(pause.over(&scene.node), None, "void: work went on without a broker");
        let stalled = scene.node.committed();
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(scene.node.committed() <= stalled, "void: work went on without a broker");
        scene.cluster.restart(1);
        scene.cluster.wait_served();
        let served = pause.begun.elapsed();
        let took = pause.wait(&mut scene.node);
        times.push(format!(
            "{:.1} s ({:.1} s after it served)",
            took.as_secs_f64(),
            (took - served).as_secs_f64()
        ));
    }
    keep_figure("one-broker-killed", &format!("all tasks committed again after {}", times.join(", ")));
    scene.finish(load);
}
