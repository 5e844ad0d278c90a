//! Connections that are open and dead: nothing comes, nothing is closed.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match};
use crate::rig::{PATIENCE, Rig};
use crate::support::wait_until;

/// Of the configuration's default.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

fn silent_for(name: &str, silence: Duration) {
    let rig = Rig::start(name, &[]);
    let load = rig.load(3 + silence.as_secs(), 800);
    rig.proxy.freeze();
    // A transaction whose reply was under way may still be counted.
    std::thread::sleep(Duration::from_secs(1));
    let stalled = rig.node.committed();
    std::thread::sleep(silence - Duration::from_secs(1));
    // The tasks of a member that lost itself are no longer counted.
    assert!(rig.node.committed() <= stalled, "void: work went on through silent connections");
    let is_lost = rig.node.log().contains("membership lost");
    assert_eq!(
        is_lost,
        silence > SESSION_TIMEOUT,
        "the session is {SESSION_TIMEOUT:?}, the silence {silence:?}"
    );
    rig.proxy.thaw();
    wait_until("work goes on", PATIENCE, || rig.node.committed() > stalled);
    rig.finish(load);
}

#[test]
fn all_connections_silent_for_less_than_the_session_are_taken_up_again() {
    silent_for("silent-short", Duration::from_secs(3));
}

#[test]
fn all_connections_silent_beyond_session_and_transaction_timeout_lose_the_tasks_and_win_them_back() {
    silent_for("silent-long", Duration::from_secs(12));
}

#[test]
fn one_dead_connection_of_each_kind_is_replaced() {
    // Fetches wait for the socket timeout, 10 s unless set.
    let rig = Rig::start("dead-one", &[("MILLPOND_KAFKA__CONSUMER__SOCKET_TIMEOUT_MS", "4000")]);
    let load = rig.load(10, 800);
    for api in [ApiKey::Fetch, ApiKey::Produce, ApiKey::Heartbeat] {
        let name = format!("connection of {api:?} held for good");
        let dead = rig.proxy.rule(&name, Match::requests(&[api]).one_connection(), Fault::Hold);
        dead.wait_hits(1, PATIENCE);
        // The rule stays on that connection; others pass.
        let stalled = rig.node.committed();
        wait_until("work goes on", PATIENCE, || rig.node.committed() > stalled + 500);
    }
    rig.finish(load);
}
