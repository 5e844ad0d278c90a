//! The simulator: schedules of one to four processes under a seeded model of broker, network, disk, clocks and database.
//!
//! The pure code runs as it is: the commit machine, batching, ownership, nonces, resolving, restore decisions, `Task`, and the
//! membership machine with its bytes. `driver` mirrors `src/runtime`, everything else is a model. `audit` names the
//! invariants, `scenario` the faults. `./dev simulate` runs any number of seeds; the same seed is the same schedule, to the
//! last event.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]
#![allow(clippy::cast_precision_loss, reason = "figures for a person")]

mod audit;
mod bank;
mod broker;
mod command;
mod controls;
mod damage;
mod disk;
mod driver;
mod edges;
mod executor;
mod fleet;
mod network;
mod operator;
mod producer;
mod random;
mod report;
mod run;
mod scenario;
mod sql;
mod world;

use std::time::{Duration, Instant};

use millpond_mutants::{Mutant, choose};

use crate::executor::{MS, Micros};
use crate::report::{Fault, Tally};
use crate::run::{Trace, run, run_scenario};
use crate::scenario::{Kind, Scenario};

/// Seeds that every run of the tests includes.
const ALWAYS: u64 = 1000;
/// How long the seeds after those go on.
const GO_ON: Duration = Duration::from_secs(120);
/// Schedules from which on every edge that is not rare must have been taken.
const ENOUGH_FOR_EDGES: u64 = 5_000;
/// Schedules with an operator.
const OPERATED: u64 = 40;
/// Schedules that a wrong variant may live through: a minute's at the least rate that is asked for, on any machine.
const CONTROL_MAX: u64 = 10_000;

/// Defects that a schedule once showed: what happened, the wrong variant that brings it back, and a seed.
///
/// A change of what a schedule draws makes others of them: `./dev simulate --mutant NAME --seeds 100000` finds the next.
const REGRESSIONS: [(&str, Mutant, Kind, u64); 3] = [
    (
        "a task that a static member was to give up when it died belonged to nobody after its return",
        Mutant::ReleaseForgotten,
        Kind::Plain,
        11,
    ),
    (
        "a restore by a member thrown out unawares took its owner's commit for offsets moved from outside",
        Mutant::NoSecondLook,
        Kind::Restless,
        338,
    ),
    (
        "a JoinGroup that came late spoke for its member with old claims, and two processes committed one task",
        Mutant::GapIgnored,
        Kind::Plain,
        1_084_111,
    ),
];

/// Schedules that once broke an invariant with no rule switched off: what was mended, and the seed.
const MENDED: [(&str, u64); 2] = [
    ("a search for a refused record began a transaction before its producer was replaced", 9_608),
    ("a transaction begun without tasks kept those that were given to the thread from running", 30_880),
];

/// Returns what `look` gives while the product is wrong in these ways.
fn wrong<T>(mutants: &[Mutant], look: impl FnOnce() -> T) -> T {
    choose(mutants);
    let seen = look();
    choose(&[]);
    seen
}

fn violation(kind: Kind, seed: u64) -> Option<String> {
    run(kind, seed, Trace::Hash).violation
}

/// Returns the first seed of `seeds` that breaks an invariant, and which.
fn first_broken(kind: Kind, seeds: impl IntoIterator<Item = u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| Some((seed, violation(kind, seed)?)))
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..20 {
        let (one, two) = (run(Kind::Plain, seed, Trace::Text), run(Kind::Plain, seed, Trace::Text));
        assert_eq!(one.lines, two.lines, "seed {seed}");
        assert_eq!(one.hash, two.hash, "seed {seed}");
        assert_eq!(
            run(Kind::Plain, seed, Trace::Hash).hash,
            one.hash,
            "seed {seed}: looking changes nothing"
        );
    }
}

#[test]
fn every_schedule_keeps_every_invariant() {
    let (begun, mut all, mut seed) = (Instant::now(), Tally::default(), 0);
    while seed < ALWAYS || begun.elapsed() < GO_ON {
        let kind = if seed % 4 == 3 { Kind::Restless } else { Kind::Plain };
        let outcome = run(kind, seed, Trace::Hash);
        assert_eq!(outcome.violation, None, "{}", command::replay(kind, seed, &[]));
        all.add(&outcome.tally);
        seed += 1;
    }
    println!("seeds 0 to {}, every fourth of the restless kind\n{all}", seed - 1);
    assert_eq!(all.edges.unlisted(), [], "edges of the commit machine that are not in the list");
    if seed >= ENOUGH_FOR_EDGES {
        assert_eq!(all.edges.missing(), [], "edges of the commit machine that no schedule took");
    }
}

#[test]
fn what_once_failed_stays_mended() {
    for (what, mutant, kind, seed) in REGRESSIONS {
        let now = violation(kind, seed);
        assert_eq!(now, None, "{what}: {}", command::replay(kind, seed, &[]));
        let found = wrong(&[mutant], || violation(kind, seed));
        assert!(found.is_some(), "seed {seed} shows {mutant} no more: {what}");
    }
    for (what, seed) in MENDED {
        assert_eq!(violation(Kind::Plain, seed), None, "{what}: {}", command::replay(Kind::Plain, seed, &[]));
    }
}

#[test]
fn the_audit_sees_every_damage() {
    for (damage, invariant) in damage::ALL {
        let spoiled = |seed| Scenario { damage: Some(damage), ..Scenario::orderly(seed, MS) };
        let found: Vec<_> = (0..10).map(|seed| run_scenario(spoiled(seed), Trace::Hash).violation).collect();
        assert!(found.iter().all(Option::is_some), "{damage:?}: {found:?}");
        let named = found.iter().flatten().any(|found| found.starts_with(invariant));
        assert!(named, "{damage:?}: {invariant} was to be broken, not {found:?}");
    }
}

/// Returns the first seed that shows these variants. Panics when they live too long.
fn hunt(kind: Kind, mutants: &[Mutant]) -> u64 {
    let begun = Instant::now();
    let found = wrong(mutants, || first_broken(kind, 0..CONTROL_MAX));
    let names = Mutant::names(mutants);
    let Some((seed, why)) = found else { panic!("{names} lives through {CONTROL_MAX} schedules") };
    println!("{names}: {} seed {seed}, {:.2} s: {why}", kind.name(), begun.elapsed().as_secs_f64());
    seed
}

#[test]
fn every_wrong_variant_is_found() {
    for mutant in controls::FOUND {
        let seed = hunt(Kind::Plain, &[mutant]);
        assert_eq!(first_broken(Kind::Plain, 0..=seed), None, "{mutant} is not what breaks it");
    }
}

/// Returns what the schedules with an operator show, and how often offsets were moved.
fn operated() -> (Vec<String>, u64) {
    let (mut found, mut tally) = (Vec::new(), Tally::default());
    for seed in 0..OPERATED {
        let outcome = run(Kind::Operated, seed, Trace::Hash);
        found.extend(outcome.violation);
        tally.add(&outcome.tally);
    }
    (found, tally.count(Fault::OffsetsMoved))
}

#[test]
fn offsets_that_an_operator_moves_are_noticed_and_set_back() {
    let (found, moved) = operated();
    assert_eq!(found, Vec::<String>::new());
    assert!(moved >= OPERATED / 2, "void: moved in {moved} schedules of {OPERATED}");
    let (found, moved) = wrong(&[Mutant::NoMarkerCheck], operated);
    println!("no-marker-check: {} of {moved} moves go unnoticed: {}", found.len(), found[0]);
    assert_eq!(found.len() as u64, moved, "every move is noticed by the marker alone");
}

#[test]
fn rules_that_stand_behind_each_other_are_found_when_all_are_off() {
    for (mutants, why) in controls::TOGETHER {
        let seed = hunt(Kind::Restless, mutants).max(100);
        for kept in mutants {
            let off: Vec<Mutant> = mutants.iter().copied().filter(|mutant| mutant != kept).collect();
            let found = wrong(&off, || first_broken(Kind::Restless, 0..=seed));
            assert_eq!(found, None, "{} without {kept}, though {why}", Mutant::names(&off));
        }
    }
}

#[test]
fn a_position_behind_what_the_store_holds_costs_reads_and_breaks_nothing() {
    let replayed = || {
        let mut tally = Tally::default();
        for seed in 0..100 {
            let outcome = run(Kind::Plain, seed, Trace::Hash);
            assert_eq!(
                outcome.violation,
                None,
                "{}",
                command::replay(Kind::Plain, seed, &[controls::REREAD])
            );
            tally.add(&outcome.tally);
        }
        tally.replayed
    };
    let (right, behind) = (replayed(), wrong(&[controls::REREAD], replayed));
    println!("{}: restores read {behind} records, without it {right}", controls::REREAD);
    assert!(behind > right + right / 10, "it costs nothing: {behind} against {right}");
}

/// Returns how many offsets were refused for an old generation, and how many generations there were, in schedules where
/// nothing fails.
fn refused(mutants: &[Mutant], commit_interval: Micros) -> (u64, u64) {
    choose(mutants);
    let mut tally = Tally::default();
    for seed in 0..40 {
        let outcome = run_scenario(Scenario::orderly(seed, commit_interval), Trace::Hash);
        assert_eq!(outcome.violation, None, "seed {} of the orderly ones", outcome.seed);
        tally.add(&outcome.tally);
    }
    choose(&[]);
    (tally.false_fences, tally.generations)
}

#[test]
fn a_fence_read_late_and_the_wait_for_a_join_spare_transactions() {
    for (mutant, commit_interval) in controls::COSTLY {
        let (right, wrong) = (refused(&[], commit_interval), refused(&[mutant], commit_interval));
        println!("{mutant}: (refused, generations) {wrong:?}, without it {right:?}");
        assert!(wrong.0 >= 2 * right.0 + 10, "{mutant} costs nothing: {wrong:?} against {right:?}");
    }
}
