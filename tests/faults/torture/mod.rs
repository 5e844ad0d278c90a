//! Scenarios drawn at random, one after the other, for as long as one wants: `./dev torture --minutes N`.
//!
//! A round has an application of its own, one to four processes, each behind a proxy of its own, a load, and some kinds of
//! faults and not others, sometimes none for a while, so that things heal in between. Then everything heals, is drained and
//! stopped, and the oracle compares Kafka, all stores and PostgreSQL. The table at the end says what was tried how often and
//! what it cost.

mod draw;
mod fault;
mod log;
mod round;
mod seat;
mod servers;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::support::keep_figure;
use round::Round;
use servers::Servers;
use tally::Tally;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn random_scenarios_leave_everything_exact() {
    let seed = number("MILLPOND_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ 0xfa17);
    let minutes = number("MILLPOND_TEST_TORTURE_MIN").unwrap_or(0);
    let rounds = number("MILLPOND_TEST_TORTURE_ROUNDS").unwrap_or(if minutes == 0 { 1 } else { u64::MAX });
    // A round of the suite has no time to start servers.
    let servers = if minutes == 0 { Servers::Shared } else { Servers::own() };
    let (begun, mut tally, mut failed) = (Instant::now(), Tally::default(), Vec::new());
    for round in 0..rounds {
        if round > 0 && begun.elapsed() >= Duration::from_secs(minutes * 60) {
            break;
        }
        let of = seed.wrapping_add(round);
        let result = catch_unwind(AssertUnwindSafe(|| Round::start(of, &servers).run(&mut tally)));
        let verdict = if result.is_ok() { "exact" } else { "FAILED" };
        let secs = begun.elapsed().as_secs();
        println!("round {round}, seed {of}: {verdict}, {}:{:02} gone", secs / 60, secs % 60);
        if result.is_err() {
            println!("repeat with: ./dev torture --seed {of} --rounds 1");
            failed.push(of);
        }
        servers.heal();
    }
    println!("\n{tally}");
    let line =
        format!("{}, {} failed, seed {seed}, {} s", tally.line(), failed.len(), begun.elapsed().as_secs());
    keep_figure("torture", &line);
    assert!(failed.is_empty(), "rounds of these seeds failed: {failed:?}");
}
