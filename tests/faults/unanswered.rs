//! Requests before EndTxn, and of the group, that nobody answers.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match};
use crate::rig::{PATIENCE, Rig};
use crate::support::wait_until;

#[test]
fn add_offsets_without_an_answer_aborts_and_work_goes_on() {
    let rig = Rig::start("add-offsets", &[]);
    let load = rig.load(8, 800);
    let rule = Match::requests(&[ApiKey::AddOffsetsToTxn]).times(2);
    let rule = rig.proxy.rule("AddOffsetsToTxn swallowed", rule, Fault::Swallow);
    rule.wait_hits(2, PATIENCE);
    let figures = rig.finish(load);
    assert!(figures.recycles >= 1.0, "{figures}");
}

#[test]
fn txn_offset_commit_without_an_answer_aborts_and_work_goes_on() {
    let rig = Rig::start("offset-commit", &[]);
    let load = rig.load(10, 800);
    let request = Match::requests(&[ApiKey::TxnOffsetCommit]).times(1);
    let request = rig.proxy.rule("TxnOffsetCommit swallowed", request, Fault::Swallow);
    let reply = Match::replies(&[ApiKey::TxnOffsetCommit]).times(1);
    let reply = rig.proxy.rule("reply to TxnOffsetCommit swallowed", reply, Fault::Swallow);
    request.wait_hits(1, PATIENCE);
    reply.wait_hits(1, PATIENCE);
    let figures = rig.finish(load);
    assert!(figures.recycles >= 1.0, "{figures}");
}

#[test]
fn find_coordinator_without_an_answer_is_left_by_the_watchdog() {
    let rig = Rig::start("coordinator", &[]);
    let load = rig.load(10, 500);
    // Of the group: producers find their own, and `send_offsets` hangs in librdkafka.
    let rule = Match::requests(&[ApiKey::FindCoordinator]).when(|request| !request.finds_transactions());
    let rule = rig.proxy.rule("FindCoordinator swallowed", rule, Fault::Swallow);
    // A known coordinator is not asked for again: only a new producer does.
    let slow = Match::requests(&[ApiKey::EndTxn]).times(2);
    let slow = rig.proxy.rule("EndTxn delayed", slow, Fault::Delay(Duration::from_millis(200)));
    slow.wait_hits(1, PATIENCE);
    rule.wait_hits(1, PATIENCE);
    wait_until("the watchdog leaves a producer", PATIENCE, || rig.node.log().contains("\"reason\":\"hung\""));
    rule.off();
    rig.finish(load);
}

#[test]
fn no_coordinator_of_transactions_stalls_and_work_goes_on() {
    let rig = Rig::start("no-coordinator", &[]);
    let load = rig.load(8, 500);
    let rule = Match::requests(&[ApiKey::FindCoordinator]);
    let rule = rig.proxy.rule("FindCoordinator swallowed", rule, Fault::Swallow);
    rig.proxy.cut_all();
    std::thread::sleep(Duration::from_secs(5));
    rule.off();
    rule.must_have_hit();
    rig.finish(load);
}

#[test]
fn heartbeats_and_joins_without_an_answer_lose_the_membership_and_it_is_won_back() {
    let rig = Rig::start("heartbeat", &[]);
    let load = rig.load(18, 500);
    let beat = Match::requests(&[ApiKey::Heartbeat]);
    let beat = rig.proxy.rule("Heartbeat swallowed", beat, Fault::Swallow);
    let join = Match::requests(&[ApiKey::JoinGroup]).times(1);
    let join = rig.proxy.rule("JoinGroup swallowed", join, Fault::Swallow);
    wait_until("the membership is lost", PATIENCE, || rig.node.log().contains("membership lost"));
    beat.off();
    beat.must_have_hit();
    join.wait_hits(1, PATIENCE);
    rig.finish(load);
}

#[test]
fn replies_to_heartbeats_and_joins_that_are_lost_are_survived() {
    let rig = Rig::start("heartbeat-reply", &[]);
    let load = rig.load(12, 500);
    let beat = Match::replies(&[ApiKey::Heartbeat]).times(3);
    let beat = rig.proxy.rule("reply to Heartbeat swallowed", beat, Fault::Swallow);
    beat.wait_hits(3, PATIENCE);
    let silent = Match::requests(&[ApiKey::Heartbeat]);
    let silent = rig.proxy.rule("Heartbeat swallowed", silent, Fault::Swallow);
    let join = Match::replies(&[ApiKey::JoinGroup]).times(1);
    let join = rig.proxy.rule("reply to JoinGroup swallowed", join, Fault::Swallow);
    join.wait_hits(1, PATIENCE);
    silent.off();
    rig.finish(load);
}
