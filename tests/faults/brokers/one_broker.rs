//! The only broker is killed and comes back.
//!
//! Kafka 4.3.1 may lose the end of the transaction that was open: the coordinator resumes it before it knows its partitions
//! again. It is then ended as its coordinator had decided, by the operator's command, and counted.

use std::time::{Duration, Instant};

use super::Scene;
use crate::cluster::Layout;
use crate::lost_ends::{LostEnds, end_lost};
use crate::support::keep_figure;

/// Times that the broker is killed.
const KILLS: usize = 3;
/// From when on a transaction that is open without its coordinator's knowledge is ended: beyond any timeout.
const OPERATOR_AFTER: Duration = Duration::from_secs(25);
/// Time between two looks for them.
const LOOK: Duration = Duration::from_secs(5);

#[test]
fn the_only_broker_is_killed_under_load_and_work_goes_on_when_it_is_back() {
    let mut scene = Scene::start("one-broker", &Layout::one(&[]), &[]);
    let load = scene.load(300, 600);
    let (mut times, mut lost) = (Vec::new(), LostEnds::default());
    for _ in 0..KILLS {
        let mut pause = scene.watch();
        scene.cluster.kill(1);
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(pause.over(&scene.node), None, "void: work went on without a broker");
        let stalled = scene.node.committed();
        std::thread::sleep(Duration::from_millis(500));
        assert!(scene.node.committed() <= stalled, "void: work went on without a broker");
        scene.cluster.restart(1);
        scene.cluster.wait_served();
        let served = pause.begun.elapsed();
        let mut look = Instant::now() + OPERATOR_AFTER;
        let took = pause.wait_doing(&mut scene.node, || {
            if Instant::now() > look {
                look = Instant::now() + LOOK;
                lost += end_lost(&scene.world);
            }
        });
        times.push(format!(
            "{:.1} s ({:.1} s after it served)",
            took.as_secs_f64(),
            (took - served).as_secs_f64()
        ));
    }
    keep_figure(
        "one-broker-killed",
        &format!(
            "all tasks committed again after {}; ends that the broker had lost, in a partition each: {lost}",
            times.join(", ")
        ),
    );
    scene.finish(load);
}
