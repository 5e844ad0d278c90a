//! What `./dev simulate` runs: a test that does nothing unless the environment says which seeds.

use std::env;
use std::time::Instant;

use millpond_mutants::{Mutant, choose};

use crate::report::Tally;
use crate::run::{Trace, run};
use crate::scenario::Kind;

const SEEDS: &str = "MILLPOND_SIMULATE_SEEDS";
const FROM: &str = "MILLPOND_SIMULATE_FROM";
const KIND: &str = "MILLPOND_SIMULATE_KIND";
const MUTANT: &str = "MILLPOND_SIMULATE_MUTANT";

/// Returns the one command that shows a schedule step by step.
pub(crate) fn replay(kind: Kind, seed: u64, mutants: &[Mutant]) -> String {
    let mutants =
        if mutants.is_empty() { String::new() } else { format!(" --mutant {}", Mutant::names(mutants)) };
    let kind = if kind == Kind::Plain { String::new() } else { format!(" --kind {}", kind.name()) };
    format!("./dev simulate --from {seed} --seeds 1{kind}{mutants}")
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn simulate_as_told() {
    let Some(seeds) = number(SEEDS) else { return };
    let from = number(FROM).unwrap_or(0);
    let kind = env::var(KIND).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "plain".to_owned());
    let kind = Kind::named(&kind).unwrap_or_else(|| panic!("{kind} is none of plain, restless, operated"));
    let names = env::var(MUTANT).ok().filter(|names| !names.is_empty());
    let mutants = names.map(|names| Mutant::several(&names).unwrap_or_else(|unknown| panic!("{unknown}")));
    let mutants = mutants.unwrap_or_default();
    choose(&mutants);
    let (begun, mut all, mut simulated, mut bad) = (Instant::now(), Tally::default(), 0, 0u64);
    for seed in from..from + seeds {
        let outcome = run(kind, seed, if seeds == 1 { Trace::Text } else { Trace::Hash });
        outcome.lines.iter().for_each(|line| println!("{line}"));
        if let Some(why) = &outcome.violation {
            bad += 1;
            println!("seed {seed}: {why}\n  {}", replay(kind, seed, &mutants));
        }
        simulated += outcome.simulated;
        all.add(&outcome.tally);
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{seeds} schedules (seeds {from} to {}), {bad} bad; {:.1} hours simulated in {took:.1} s: {:.0} schedules per minute",
        from + seeds - 1,
        simulated as f64 / 3.6e9,
        seeds as f64 * 60.0 / took,
    );
    println!("{all}");
    assert_eq!(bad, 0, "schedules that broke an invariant");
}
