//! Each claim holds for a good story and fails for the flaw that it is there for.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use super::{Limits, claims};
use crate::demo::drain::Levels;
use crate::demo::drive::{Recovery, Story};
use crate::demo::evidence::Evidence;
use crate::load::{Generator, Mix, Options, Summary};

const LIMITS: Limits =
    Limits { orders: 2_000, rate: 8_000, session: Duration::from_secs(6), shutdown: Duration::from_secs(30) };

fn summary() -> Summary {
    let options = Options { seed: 1, users: 10, orders: 2_000, zipf: 0.0, mix: Mix::DEMO, partitions: 4 };
    let mut generator = Generator::new(options).unwrap();
    while generator.next_order(1).is_some() {}
    generator.summary().clone()
}

fn story() -> Story {
    let evidence =
        Evidence { read_beyond: 800, uncommitted: 1_500, open_records: 0, partitions: 8, committed: 1_000 };
    let summary = summary();
    Story {
        recovery: Some(Recovery {
            evidence,
            restored: 3_000,
            unflushed_max: 4_000,
            changelog: 90_000,
            first_commit: Duration::from_millis(420),
        }),
        processed: summary.orders,
        summary,
        working: Duration::from_secs(25),
        levels: Levels { kafka_lag: Some(0), source_lag: Some(0), sink_lag: Some(0) },
        end: Some(ExitStatus::from_raw(0)),
        ending: Duration::from_millis(300),
    }
}

/// Titles of the claims that fail.
fn failing(change: impl FnOnce(&mut Story)) -> Vec<String> {
    let mut story = story();
    change(&mut story);
    let claims = claims(&story, &LIMITS, &[]);
    claims.into_iter().filter(|claim| !claim.passed).map(|claim| claim.title).collect()
}

fn recovery(story: &mut Story) -> &mut Recovery {
    story.recovery.as_mut().unwrap()
}

#[test]
fn a_good_story_passes_on_something() {
    assert_eq!(failing(|_| {}), [""; 0]);
    let claims = claims(&story(), &LIMITS, &[]);
    assert_eq!(claims.len(), 7);
    assert!(claims.iter().all(|claim| claim.checked > 0), "{claims:?}");
}

#[test]
fn each_flaw_fails_its_own_claim() {
    let one = |change: fn(&mut Story), word: &str| {
        let failing = failing(change);
        assert!(failing.len() == 1 && failing[0].contains(word), "{word}: {failing:?}");
    };
    one(|story| story.processed -= 1, "every order");
    one(|story| recovery(story).evidence.read_beyond = 0, "uncommitted input");
    one(|story| recovery(story).restored = 4_001, "restored");
    one(|story| (recovery(story).restored, recovery(story).unflushed_max) = (90_000, 90_000), "restored");
    one(|story| recovery(story).first_commit = Duration::from_secs(22), "in time");
    one(|story| story.levels.source_lag = None, "lag reads 0");
    one(|story| story.end = Some(ExitStatus::from_raw(256)), "SIGTERM");
    one(|story| story.end = None, "SIGTERM");
}

#[test]
fn dead_letters_that_differ_are_told() {
    let claims = claims(&story(), &LIMITS, &["NOT_JSON: 5 written, 4 found".to_owned()]);
    let letters = claims.iter().find(|claim| claim.title.contains("dead letters")).unwrap();
    assert!(!letters.passed && letters.figure.contains("5 written, 4 found"));
}
