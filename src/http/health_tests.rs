//! Which states are alive, ready and started.

use super::*;
use crate::http::status::SinkPartition;

fn running() -> Status {
    Status { state: InstanceState::Running, generation: Some(4), ..Status::starting("app", "one") }
}

fn task(state: TaskState) -> TaskStatus {
    TaskStatus {
        id: "0_1".to_owned(),
        sub_topology: "accounts".to_owned(),
        role: "processor".to_owned(),
        state,
        store: crate::http::StoreStatus::default(),
        inputs: vec![],
    }
}

fn sink(state: SinkState) -> SinkStatus {
    SinkStatus { state, partitions: vec![], last_error: Some("connection refused".to_owned()) }
}

fn good(status: &Status) -> [bool; 3] {
    [Probe::Live, Probe::Ready, Probe::Started].map(|probe| Health::judge(probe, status).is_good())
}

#[test]
fn a_starting_process_is_alive_only() {
    assert_eq!(good(&Status::starting("app", "one")), [true, false, false]);
}

#[test]
fn a_member_without_tasks_is_ready() {
    assert_eq!(good(&running()), [true, true, true]);
}

#[test]
fn restoring_is_alive_and_not_ready_and_says_how_far_it_is() {
    let progress = Progress { done: 43, total: 100, rate: 19.0 };
    let tasks = vec![task(TaskState::Running), task(TaskState::Restoring(progress))];
    let status = Status { state: InstanceState::Restoring, tasks, ..running() };
    assert_eq!(good(&status), [true, false, true]);
    let shown = Health::judge(Probe::Ready, &status).to_string();
    assert_eq!(shown, "[-] task 0_1 (accounts): restoring 43 % (43/100), 19 records/s, 3 s left\nfailed\n");
}

#[test]
fn a_rebalance_does_not_unready_the_tasks_that_go_on() {
    let status =
        Status { state: InstanceState::Rebalancing, tasks: vec![task(TaskState::Running)], ..running() };
    assert_eq!(good(&status), [true, true, true]);
}

#[test]
fn a_thread_that_waits_for_long_is_not_ready_and_named() {
    let waits = |seconds| {
        let what = "the commit of a transaction".to_owned();
        Status { waits: vec![WaitStatus { thread: "stream-1".to_owned(), seconds, what }], ..running() }
    };
    assert_eq!(good(&waits(4.9)), [true, true, true]);
    assert_eq!(good(&waits(5.1)), [true, false, true]);
    let shown = Health::judge(Probe::Ready, &waits(12.3)).to_string();
    assert_eq!(shown, "[-] thread stream-1: waits for 12 s: the commit of a transaction\nfailed\n");
}

#[test]
fn draining_is_alive_and_not_ready() {
    let status =
        Status { state: InstanceState::Draining, tasks: vec![task(TaskState::Closing)], ..running() };
    assert_eq!(good(&status), [true, false, true]);
}

#[test]
fn an_unreachable_database_is_not_ready_and_named() {
    let retrying = SinkState::Retrying { seconds: 12.0, attempts: 7 };
    let status = Status { sink: Some(sink(retrying)), ..running() };
    assert_eq!(good(&status), [true, false, true]);
    let shown = Health::judge(Probe::Ready, &status).to_string();
    assert!(shown.contains("retrying for 12 s, 7 attempts: connection refused"), "{shown}");
    let waits = SinkPartition {
        topic: "account.events".to_owned(),
        partition: 0,
        next_offset: None,
        last_stable: None,
        lag: None,
        lag_seconds: 0.0,
    };
    let taking = SinkStatus { partitions: vec![waits], ..sink(SinkState::Running) };
    assert_eq!(good(&Status { sink: Some(taking), ..running() }), [true, false, true]);
    assert_eq!(good(&Status { sink: Some(sink(SinkState::Running)), ..running() }), [true, true, true]);
}

#[test]
fn only_a_wedged_loop_or_a_fatal_state_is_dead() {
    let wedged = Status { wedged: Some("thread 1 for 31 s".to_owned()), ..running() };
    assert_eq!(good(&wedged), [false, false, false]);
    let fatal = Status { fatal: Some("fenced".to_owned()), ..running() };
    assert_eq!(good(&fatal), [false, false, false]);
    let stopped = Status { sink: Some(sink(SinkState::Stopped { reason: "x".to_owned() })), ..running() };
    assert_eq!(good(&stopped), [true, false, true]);
}

#[test]
fn the_alternate_form_shows_everything_that_was_looked_at() {
    let status = Status { tasks: vec![task(TaskState::Running)], ..running() };
    let health = Health::judge(Probe::Ready, &status);
    assert_eq!(health.to_string(), "ok\n");
    insta::assert_snapshot!(format!("{health:#}"));
}
