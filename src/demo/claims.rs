//! What the demo itself can say about how it went; the oracle says the rest.

use std::time::Duration;

use indicatif::HumanCount;

use super::drive::{Recovery, Story};

/// How much longer than a session a successor may take to its first commit.
const TAKEOVER_SLACK: Duration = Duration::from_secs(15);

/// Differing reasons that are shown.
const DIFFERENCES_MAX: usize = 3;

/// One line of the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// What holds when it passes.
    pub(super) title: String,
    /// How many things were looked at.
    pub(super) checked: u64,
    /// Its figure, for a person.
    pub(super) figure: String,
    /// Whether it holds.
    pub(super) passed: bool,
}

/// Limits that the claims are measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Orders asked for.
    pub(super) orders: u64,
    /// Orders per second asked for.
    pub(super) rate: u64,
    /// Session timeout of the group.
    pub(super) session: Duration,
    /// Time from SIGTERM to the end.
    pub(super) shutdown: Duration,
}

/// Returns the demo's own claims; `letters` tells how the dead letters differ from what was written.
pub(super) fn claims(story: &Story, limits: &Limits, letters: &[String]) -> Vec<Claim> {
    let mut claims = vec![orders(story, limits)];
    if let Some(recovery) = &story.recovery {
        claims.extend([hit(recovery), restored(recovery), first_commit(recovery, limits)]);
    }
    claims.extend([dead_letters(story, letters), drained(story), ended(story, limits)]);
    claims
}

fn orders(story: &Story, limits: &Limits) -> Claim {
    let seconds = story.working.as_secs_f64().max(0.001);
    let rate = story.processed as f64 / seconds;
    Claim {
        title: "every order that was written was processed".to_owned(),
        checked: story.processed,
        figure: format!("{rate:.0}/s over {seconds:.1} s, {}/s asked for", HumanCount(limits.rate)),
        passed: story.processed == story.summary.orders && story.processed >= limits.orders / 2,
    }
}

fn hit(recovery: &Recovery) -> Claim {
    let evidence = &recovery.evidence;
    let open = match evidence.open_records {
        0 => String::new(),
        open => format!(", {} in an open transaction", HumanCount(open)),
    };
    Claim {
        title: "SIGKILL hit uncommitted input".to_owned(),
        checked: evidence.partitions,
        figure: format!(
            "{} records read beyond the commit, {} not committed{open}",
            HumanCount(evidence.read_beyond),
            HumanCount(evidence.uncommitted)
        ),
        passed: evidence.hit(),
    }
}

fn restored(recovery: &Recovery) -> Claim {
    let Recovery { restored, unflushed_max, changelog, .. } = *recovery;
    Claim {
        title: "restored after the kill: unflushed rows only, never from the beginning".to_owned(),
        checked: changelog,
        figure: format!(
            "{} of {} changelog rows; at most {} were unflushed",
            HumanCount(restored),
            HumanCount(changelog),
            HumanCount(unflushed_max)
        ),
        passed: restored <= unflushed_max && restored < changelog,
    }
}

fn first_commit(recovery: &Recovery, limits: &Limits) -> Claim {
    let limit = limits.session + TAKEOVER_SLACK;
    Claim {
        title: "the successor committed in time".to_owned(),
        checked: 1,
        figure: format!(
            "{:.2} s after the kill, at most {} s",
            recovery.first_commit.as_secs_f64(),
            limit.as_secs()
        ),
        passed: recovery.first_commit <= limit,
    }
}

fn dead_letters(story: &Story, letters: &[String]) -> Claim {
    let reasons = story.summary.dead_letters().len();
    Claim {
        title: "dead letters = bad records written, reason by reason".to_owned(),
        checked: story.summary.bad(),
        figure: match letters {
            [] => format!("{} in {reasons} reasons", HumanCount(story.summary.bad())),
            differences => {
                let more = differences.len().saturating_sub(DIFFERENCES_MAX);
                let shown = differences.iter().take(DIFFERENCES_MAX).cloned().collect::<Vec<_>>().join("; ");
                if more == 0 { shown } else { format!("{shown}; {more} more reasons") }
            }
        },
        passed: letters.is_empty(),
    }
}

fn drained(story: &Story) -> Claim {
    let word = |level: Option<u64>| level.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
    let levels = &story.levels;
    Claim {
        title: "lag reads 0 when drained".to_owned(),
        checked: 3,
        figure: format!(
            "committed offsets {}, /metrics {}, sink {}",
            word(levels.kafka_lag),
            word(levels.source_lag),
            word(levels.sink_lag)
        ),
        passed: levels.are_empty(),
    }
}

fn ended(story: &Story, limits: &Limits) -> Claim {
    let seconds = story.ending.as_secs_f64();
    let how = match story.end {
        Some(status) => format!("{status} after {seconds:.2} s"),
        None => format!("still running after {seconds:.0} s"),
    };
    Claim {
        title: "SIGTERM ended it well".to_owned(),
        checked: 1,
        figure: format!("{how}, at most {} s", limits.shutdown.as_secs()),
        passed: story.end.is_some_and(|status| status.success()),
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
