//! Two live processes with one name, or with one state directory: one goes on, the other ends and says why.

use std::time::{Duration, Instant};

use super::{Load, PATIENCE, finish, wait_work};
use crate::support::{Node, World, wait_until};

const RATE: u64 = 600;
/// Newcomers with the name of a process that lives.
const ROUNDS: usize = 3;
/// The longest that two processes of one name live side by side.
const TWO_LIVE_MAX: Duration = Duration::from_secs(20);

#[test]
fn of_two_live_processes_with_one_static_id_exactly_one_goes_on() {
    let world = World::new("twins");
    let name = ("MILLPOND_INSTANCE__ID", "same");
    let mut states = vec!["twin-0".to_owned()];
    let mut living = Node::start(&world, &states[0], &[name]);
    living.wait_ready(PATIENCE);
    let load = Load::start(&world, RATE, &[]);
    wait_until("it works", PATIENCE, || living.committed() > 500);
    for round in 1..=ROUNDS {
        let state = format!("twin-{round}");
        let mut newcomer = Node::start(&world, &state, &[name]);
        states.push(state);
        let begun = Instant::now();
        wait_until("one of the two ends", TWO_LIVE_MAX, || !(living.is_alive() && newcomer.is_alive()));
        let took = begun.elapsed();
        if newcomer.is_alive() {
            std::mem::swap(&mut living, &mut newcomer);
        }
        let (status, log) = (newcomer.wait_end(PATIENCE), newcomer.log());
        assert_eq!(status.code(), Some(1), "round {round}: {log}");
        assert!(log.contains("another live process uses this instance id"), "no reason:\n{log}");
        assert!(log.contains("give every process an `instance.id`"), "no cure:\n{log}");
        wait_until("the other one has all tasks", PATIENCE, || living.runs(4));
        wait_work(&living);
        eprintln!("round {round}: one of two ended after {} ms", took.as_millis());
    }
    // Whatever the two still did to each other has come by then.
    std::thread::sleep(Duration::from_secs(2));
    wait_work(&living);
    assert!(living.is_alive(), "both ended:\n{}", living.log());
    let states: Vec<&str> = states.iter().map(String::as_str).collect();
    finish(&world, load, &mut [&mut living], &states);
}

#[test]
fn a_second_process_on_a_directory_in_use_is_refused_under_load() {
    let world = World::new("shared-dir");
    let mut first = Node::start(&world, "one", &[]);
    first.wait_ready(PATIENCE);
    let load = Load::start(&world, RATE, &[]);
    wait_until("it works", PATIENCE, || first.committed() > 500);
    for _ in 0..3 {
        let mut second = Node::start(&world, "one", &[]);
        let status = second.wait_end(PATIENCE);
        assert_eq!(status.code(), Some(4), "{}", second.log());
        let log = second.log();
        assert!(log.contains("is in use by process"), "the owner is not named:\n{log}");
        wait_work(&first);
    }
    finish(&world, load, &mut [&mut first], &["one"]);
}
