//! The demo's story between funded accounts and a stopped process: work, kill, recovery, end.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use indicatif::HumanCount;

use super::child::Processor;
use super::drain::{Drain, Levels};
use super::error::DemoError;
use super::evidence::Evidence;
use super::kill::{KillWatch, Verdict};
use super::loader::Loader;
use super::watch::Watch;
use crate::load::{Feed, Generator, Pace, Summary};

/// Time between two looks for the moment to kill.
const AIM: Duration = Duration::from_millis(2);

/// How long a transaction that is just being committed may take after the kill.
const SETTLE: Duration = Duration::from_millis(100);

/// How much longer than its interval a flush may take to be on disk.
const FLUSH_SLACK: Duration = Duration::from_secs(1);

/// What the kill did, and what it took to recover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recovery {
    /// What was uncommitted.
    pub(super) evidence: Evidence,
    /// Changelog records that the successor read.
    pub(super) restored: u64,
    /// Rows that can have been unflushed at the kill, the open transaction's included.
    pub(super) unflushed_max: u64,
    /// Rows of the changelog at the kill.
    pub(super) changelog: u64,
    /// From the kill to the successor's first commit.
    pub(super) first_commit: Duration,
}

/// How it went.
#[derive(Debug)]
pub(super) struct Story {
    /// The kill, if there was one.
    pub(super) recovery: Option<Recovery>,
    /// Everything that was written.
    pub(super) summary: Summary,
    /// Orders processed.
    pub(super) processed: u64,
    /// From the first order until all were committed.
    pub(super) working: Duration,
    /// Lags when drained.
    pub(super) levels: Levels,
    /// How the process ended after SIGTERM; `None` when it did not in time.
    pub(super) end: Option<ExitStatus>,
    /// How long that took.
    pub(super) ending: Duration,
}

/// Lives through the story; `feed` has funded the accounts of `generator` already.
pub(super) fn drive(mut watch: Watch<'_>, feed: Feed, generator: Generator) -> Result<Story, DemoError> {
    until_drained(&mut watch, "the deposits to be processed")?;
    let base = watch.processed();
    watch.screen.say(&format!(
        "orders: {} at {}/s",
        HumanCount(watch.plan.orders),
        HumanCount(watch.plan.rate)
    ));
    let (began, pace) = (watch.now(), Pace::per_second(watch.plan.rate));
    watch.begin(Loader::start(feed, generator, pace)?);
    let hit = match watch.plan.kill_at {
        Some(share) => Some(kill_at(&mut watch, share)?),
        None => None,
    };
    let summary = loop {
        match watch.all_written() {
            Some(generator) => break generator.summary().clone(),
            None => watch.look("the orders to be written")?,
        }
    };
    let committed = until_drained(&mut watch, "the orders to be processed")?;
    let (working, levels) = (committed.saturating_sub(began), watch.levels);
    let recovery = hit.map(|hit| Recovery { restored: watch.restored, ..hit });
    let processed = watch.processed() - base;
    watch.screen.end();
    let Watch { processor, screen, plan, .. } = watch;
    screen.say(&format!("SIGTERM to millpond run (pid {})", processor.pid()));
    let told = Instant::now();
    let end = processor.stop(plan.config.shutdown.timeout.get())?;
    Ok(Story { recovery, summary, processed, working, levels, end, ending: told.elapsed() })
}

/// Waits until everything is processed and in PostgreSQL; returns when the last input was committed.
fn until_drained(watch: &mut Watch<'_>, what: &'static str) -> Result<Duration, DemoError> {
    let (mut drain, mut committed) = (Drain::default(), None);
    loop {
        watch.look(what)?;
        let now = watch.now();
        if watch.levels.kafka_lag == Some(0) {
            committed.get_or_insert(now);
        } else {
            committed = None;
        }
        if drain.observe(now, &watch.levels) {
            return Ok(committed.unwrap_or(now));
        }
    }
}

/// Kills the process when that share of the orders is committed, and starts it again.
fn kill_at(watch: &mut Watch<'_>, share: f64) -> Result<Recovery, DemoError> {
    let wanted = watch.plan.orders as f64 * share;
    while (watch.processed() as f64) < wanted {
        watch.look("the moment to kill")?;
        refuse_when_done(watch)?;
    }
    let mut aim = KillWatch::new(watch.now());
    let before = loop {
        watch.check()?;
        let inputs = watch.inputs();
        if aim.observe(watch.now(), &inputs) == Verdict::Kill {
            break inputs;
        }
        watch.look("the moment to kill")?;
        refuse_when_done(watch)?;
        std::thread::sleep(AIM);
    };
    let (killed, killed_at) = (Instant::now(), watch.now());
    let victim = watch.processor.pid();
    watch.processor.kill()?;
    watch.probe.await_stable(SETTLE)?;
    let evidence = Evidence::weigh(&before, &watch.probe.inputs()?, watch.probe.open_records()?);
    let ends = watch.probe.changelog_ends()?;
    let unflushed_max =
        watch.history.rows_since(killed_at.saturating_sub(watch.plan.flush_interval() + FLUSH_SLACK), &ends);
    let changelog = ends.iter().map(|end| u64::try_from(*end).unwrap_or_default()).sum();
    watch.put(Processor::start(watch.plan)?);
    watch.screen.say(&format!(
        "SIGKILL to millpond run (pid {victim}): {} records read and not committed, {} waiting; started again (pid {})",
        HumanCount(evidence.read_beyond),
        HumanCount(evidence.uncommitted),
        watch.processor.pid()
    ));
    watch.until("the first commit after the kill", |watch| watch.committed() > evidence.committed)?;
    let first_commit = killed.elapsed();
    Ok(Recovery { evidence, restored: 0, unflushed_max, changelog, first_commit })
}

/// Fails when no order is left that a kill could hit.
fn refuse_when_done(watch: &Watch<'_>) -> Result<(), DemoError> {
    let is_written = watch.all_written().is_some();
    if is_written && watch.levels.kafka_lag == Some(0) { Err(DemoError::NothingToKill) } else { Ok(()) }
}
