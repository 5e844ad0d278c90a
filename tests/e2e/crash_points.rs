//! A crash at every step of the transaction, of the store and of the sink; every failpoint must have been hit.

use std::time::Duration;

use crate::support::{Node, World, wait_drained, wait_until};

/// Failpoints and what they do at which hit. `panic` ends the process at once, without unwinding.
const POINTS: [(&str, &str); 10] = [
    ("txn::before_produce", "15*off->panic"),
    ("txn::after_produce", "15*off->panic"),
    ("txn::after_send_offsets", "15*off->panic"),
    ("txn::end_txn_sent", "15*off->return"),
    ("txn::after_commit_reply", "15*off->panic"),
    ("state::before_write_batch", "15*off->panic"),
    ("state::after_write_batch", "15*off->panic"),
    ("state::in_restore", "panic"),
    ("sink::before_commit", "5*off->panic"),
    ("sink::after_commit", "5*off->panic"),
];

#[test]
fn a_crash_at_every_step_leaves_everything_exact() {
    let world = World::new("points");
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(90));
    // Outlasts the points on any machine; ended when they are through.
    let mut load =
        world.start_load(&["--users", "1000", "--orders", "1500000", "--rate", "4000", "--seed", "13"]);
    wait_until("work is under way", Duration::from_secs(90), || node.committed() > 3000);
    for (point, action) in POINTS {
        // A kill leaves unflushed rows, so that a restore follows.
        node.kill();
        let mut victim = Node::start(&world, "one", &[("FAILPOINTS", &format!("{point}={action}"))]);
        let status = victim.wait_end(Duration::from_secs(60));
        assert!(!status.success(), "{point}: the process ended cleanly");
        assert!(
            victim.log().contains(&format!("failpoint {point}")),
            "{point} was not hit:\n{}",
            victim.log()
        );
        node = Node::start(&world, "one", &[]);
        node.wait_ready(Duration::from_secs(90));
        let before = node.committed();
        wait_until("work goes on", Duration::from_secs(60), || node.committed() > before);
    }
    assert!(
        load.try_wait().is_ok_and(|status| status.is_none()),
        "void: the load ended before the points did"
    );
    let _ = (load.kill(), load.wait());
    wait_drained(&world, Duration::from_secs(120));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}
