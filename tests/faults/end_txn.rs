//! EndTxn without an answer: outcome Unknown (rule R1), resolved by fencing (R2), the producer replaced (R3).

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match, Request};
use crate::rig::{PATIENCE, Rig, drain_or_end};
use crate::support::wait_until;

/// What a process logs that finds a commit which it does not know of.
const FOUND_OUT: &str = "another transaction than this process knows of has committed the task";

/// How long the broker keeps silent about commits; 60 s were also run.
fn silence() -> Duration {
    let set = std::env::var("MILLPOND_TEST_SILENCE_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(set.unwrap_or(5))
}

/// Commits, one of `every`.
fn commits(matching: Match, every: usize) -> Match {
    matching.when(Request::commits).skip(5).every(every)
}

#[test]
fn a_commit_that_never_arrived_is_found_aborted_and_done_again() {
    let rig = Rig::start("request-lost", &[]);
    let wanted = commits(Match::requests(&[ApiKey::EndTxn]), 12).times(4);
    let lost = rig.proxy.rule("EndTxn swallowed", wanted, Fault::Swallow);
    let load = rig.load(8, 1000);
    lost.wait_hits(2, PATIENCE);
    let figures = rig.finish(load);
    assert!(figures.aborted >= 1, "{figures}");
}

#[test]
fn a_commit_whose_reply_is_lost_is_found_committed_and_not_done_again() {
    let rig = Rig::start("reply-lost", &[]);
    let wanted = commits(Match::replies(&[ApiKey::EndTxn]), 12).times(4);
    let lost = rig.proxy.rule("reply to EndTxn swallowed", wanted, Fault::Swallow);
    let load = rig.load(8, 1000);
    lost.wait_hits(2, PATIENCE);
    let figures = rig.finish(load);
    assert!(figures.committed >= 1, "{figures}");
}

#[test]
fn a_broker_that_is_silent_about_every_commit_for_seconds_costs_time_and_nothing_else() {
    let rig = Rig::start("commit-silence", &[]);
    let load = rig.load(6 + silence().as_secs(), 800);
    let request = commits(Match::requests(&[ApiKey::EndTxn]), 2);
    let request = rig.proxy.rule("every second EndTxn swallowed", request, Fault::Swallow);
    let reply = commits(Match::replies(&[ApiKey::EndTxn]), 1);
    let reply = rig.proxy.rule("reply to EndTxn swallowed", reply, Fault::Swallow);
    std::thread::sleep(silence());
    request.off();
    reply.off();
    request.must_have_hit();
    let figures = rig.finish(load);
    assert!(figures.resolved() >= 1, "{figures}");
}

/// The rule off, and the look at what is committed as well, which makes up for it before the next transaction.
fn alone(mutant: &str) -> String {
    format!("{mutant}+committed-unchecked")
}

/// Runs into one lost commit with a rule switched off; the oracle must object.
fn control(mutant: &str, matching: Match) {
    let mut rig = Rig::start(mutant, &[("MILLPOND_MUTANT", &alone(mutant))]);
    let wanted = commits(matching, 12).times(2);
    let lost = rig.proxy.rule("EndTxn or its reply swallowed", wanted, Fault::Swallow);
    let load = rig.load(5, 1000);
    lost.wait_hits(1, PATIENCE);
    lost.off();
    // The process may notice by itself that something is wrong; that is as good.
    drain_or_end(&mut rig, load);
    let (code, text) = rig.judge();
    assert_eq!(code, Some(3), "the oracle did not notice `{mutant}`:\n{text}\n{}", rig.node.log());
    eprintln!("{mutant}: noticed by {}", crate::rig::failed_checks(&text));
}

#[test]
fn control_an_unknown_commit_taken_for_aborted_is_noticed() {
    control("unknown-is-aborted", Match::replies(&[ApiKey::EndTxn]));
}

/// The second line: what is committed is not what the process takes for its last transaction, so that it restores.
#[test]
fn a_commit_taken_for_aborted_is_found_out_before_the_next_transaction() {
    let rig = Rig::start("found-out", &[("MILLPOND_MUTANT", "unknown-is-aborted")]);
    let wanted = commits(Match::replies(&[ApiKey::EndTxn]), 12).times(2);
    let lost = rig.proxy.rule("reply to EndTxn swallowed", wanted, Fault::Swallow);
    let load = rig.load(5, 1000);
    lost.wait_hits(1, PATIENCE);
    wait_until("it is found out", PATIENCE, || rig.node.logged(FOUND_OUT) >= 1);
    rig.finish(load);
}

#[test]
fn control_an_unknown_commit_taken_for_committed_is_noticed() {
    control("unknown-is-committed", Match::requests(&[ApiKey::EndTxn]));
}

#[test]
fn control_a_nonce_that_is_not_compared_is_noticed() {
    control("any-nonce", Match::requests(&[ApiKey::EndTxn]));
}

#[test]
fn control_a_transaction_without_offsets_is_noticed() {
    let mut rig = Rig::start("empty-offsets", &[]);
    let load = rig.load(2, 1000);
    rig.drain(load);
    assert_eq!(rig.node.stop().code(), Some(0), "{}", rig.node.log());
    rig.restart(&[("MILLPOND_MUTANT", "empty-offsets")]);
    let load = rig.start_load(2, 1000);
    crate::rig::finish_load(load);
    std::thread::sleep(Duration::from_secs(1));
    rig.node.kill();
    let (code, text) = rig.judge();
    assert_eq!(code, Some(3), "the oracle did not notice:\n{text}");
    eprintln!("empty-offsets: noticed by {}", crate::rig::failed_checks(&text));
}
