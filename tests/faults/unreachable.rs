//! Stopping while no broker answers.

use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match, Request};
use crate::rig::{PATIENCE, Rig, finish_load};

/// What a stop may take beyond `shutdown.timeout`.
const MARGIN: Duration = Duration::from_secs(2);

/// Silences the broker while a commit is on its way, for `silence`, stops, and starts again once it answers.
fn silent_stop(timeout: u64, silence: Duration, extra: &[(&str, &str)]) {
    let text = format!("{timeout}s");
    let settings = [&[("MILLPOND_SHUTDOWN__TIMEOUT", text.as_str())], extra].concat();
    let mut rig = Rig::start("silent-stop", &settings);
    let load = rig.load(4 + silence.as_secs(), 800);
    let commit = Match::requests(&[ApiKey::EndTxn]).when(Request::commits).times(1);
    let commit = rig.proxy.rule("commit under way", commit, Fault::Hold);
    commit.wait_hits(1, PATIENCE);
    rig.proxy.freeze();
    std::thread::sleep(silence);
    let begun = Instant::now();
    let status = rig.node.stop();
    let took = begun.elapsed();
    eprintln!("shutdown.timeout {timeout}s, silent for {silence:?}: ended with {status} after {took:.1?}");
    let log = rig.node.log();
    assert!(took <= Duration::from_secs(timeout) + MARGIN, "took {took:?}:\n{log}");
    // Once the membership is lost and every task dropped, nothing is left that a stop could wait for.
    let dropped = log.matches("\"task closed\"").count() >= 4;
    let expected = if log.contains("membership lost") && dropped { [Some(0), Some(1)] } else { [Some(1); 2] };
    assert!(expected.contains(&status.code()), "{status}\n{log}");
    let late = log.contains("the stop took longer than shutdown.timeout");
    assert_eq!(late, status.code() == Some(1), "{log}");
    finish_load(load);
    // What the dead process sent last arrives now.
    commit.release();
    rig.proxy.thaw();
    rig.restart(&[]);
    let load = rig.load(2, 800);
    rig.finish(load);
}

#[test]
fn a_stop_while_the_broker_is_silent_ends_in_time_and_the_restart_is_clean() {
    silent_stop(3, Duration::from_secs(1), &[]);
}

#[test]
fn a_stop_that_would_leave_the_group_ends_in_time_when_the_broker_is_long_silent() {
    silent_stop(4, Duration::from_secs(9), &[("MILLPOND_MEMBERSHIP__LEAVE", "always")]);
}

#[test]
fn an_idle_process_stops_in_time_while_the_broker_is_silent() {
    let leaving = [("MILLPOND_SHUTDOWN__TIMEOUT", "3s"), ("MILLPOND_MEMBERSHIP__LEAVE", "always")];
    let mut rig = Rig::start("silent-idle", &leaving);
    let load = rig.start_load(1, 500);
    rig.drain(load);
    rig.proxy.freeze();
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    let status = rig.node.stop();
    eprintln!("idle: ended with {status} after {:.1?}", begun.elapsed());
    assert!(begun.elapsed() <= Duration::from_secs(3) + MARGIN, "{}", rig.node.log());
    rig.proxy.thaw();
    rig.restart(&[]);
    let load = rig.load(2, 800);
    rig.finish(load);
}
