//! SIGKILL between JoinGroup and SyncGroup: of the leader, whom all others wait for, and of a newcomer.

use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match};
use crate::rig::{PATIENCE, Rig};
use crate::support::{Node, group_lag, wait_drained, wait_until};

/// Session of a member, and what the rest may take.
const TAKE_OVER_MAX: Duration = Duration::from_secs(6 + 15);

#[test]
fn a_kill_between_join_and_sync_holds_the_others_up_for_a_session_and_no_longer() {
    let mut rig = Rig::start("join-kill", &[]);
    let mut load = rig.load(600, 800);
    let held =
        || rig.proxy.rule("SyncGroup held", Match::requests(&[ApiKey::SyncGroup]).times(1), Fault::Hold);
    // The member that is there leads the group: without its SyncGroup nobody is given anything.
    let leader = held();
    let mut guest = Node::start(&rig.world, "two", &[]);
    leader.wait_hits(1, PATIENCE);
    assert_eq!(guest.generation(), None, "void: the guest was seated");
    rig.node.kill();
    let killed = Instant::now();
    wait_until("the guest has all tasks", TAKE_OVER_MAX, || guest.runs(4));
    eprintln!("leader killed: all tasks run elsewhere after {} ms", killed.elapsed().as_millis());
    leader.release();
    let newcomer = held();
    let before = guest.committed();
    rig.node = rig.start_again(&[]);
    newcomer.wait_hits(1, PATIENCE);
    assert_eq!(rig.node.generation(), None, "void: the newcomer was seated");
    rig.node.kill();
    let killed = Instant::now();
    wait_until("the guest has all tasks", TAKE_OVER_MAX, || guest.runs(4));
    wait_until("work goes on", PATIENCE, || guest.committed() > before);
    eprintln!("newcomer killed: all tasks run after {} ms", killed.elapsed().as_millis());
    newcomer.release();
    rig.restart(&[]);
    wait_until("each has two tasks", PATIENCE, || rig.node.runs(2) && guest.runs(2));
    assert!(load.kill().is_ok(), "load");
    let _ = load.wait();
    wait_until("the input is processed", PATIENCE, || group_lag(&rig.world) == 0);
    wait_drained(&rig.world, PATIENCE);
    assert_eq!(rig.node.stop().code(), Some(0), "{}", rig.node.log());
    assert_eq!(guest.stop().code(), Some(0), "{}", guest.log());
    rig.world.verify(&["one", "two"]);
}
