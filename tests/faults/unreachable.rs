//! Stopping while no broker answers.

use std::time::{Duration, Instant};

use crate::rig::{Figures, Rig, finish_load};

/// What a stop may take beyond `shutdown.timeout`.
const MARGIN: Duration = Duration::from_secs(2);

#[test]
fn a_stop_while_the_broker_is_silent_ends_in_time_and_the_restart_is_clean() {
    for timeout in [3, 8] {
        let text = format!("{timeout}s");
        let mut rig = Rig::start("silent-stop", &[("MILLPOND_SHUTDOWN__TIMEOUT", &text)]);
        let load = rig.load(6, 1000);
        rig.proxy.freeze();
        // A transaction is open and every thread waits for an answer by then.
        std::thread::sleep(Duration::from_secs(1));
        let begun = Instant::now();
        let status = rig.node.stop();
        let took = begun.elapsed();
        eprintln!("shutdown.timeout {timeout}s: ended with {status} after {took:.1?}");
        let log = rig.node.log();
        assert!(took <= Duration::from_secs(timeout) + MARGIN, "took {took:?}:\n{log}");
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("the stop took longer than shutdown.timeout"), "{log}");
        finish_load(load);
        rig.proxy.thaw();
        rig.restart(&[]);
        let load = rig.load(2, 1000);
        assert_eq!(Figures::of(&rig.node).resolved(), 0, "{}", rig.node.log());
        rig.finish(load);
    }
}
