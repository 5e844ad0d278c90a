//! Whether transactions of the past have their ends in every partition that a transaction is to write to (ADR 6).
//!
//! A cluster may lose an end (docs/reliability.md, "What Kafka itself loses"): the coordinator takes a transaction for
//! complete, and a partition has no marker of it. The next marker of the same producer id then ends both: what was aborted
//! becomes visible with the next commit, and what was committed disappears with the next abort. A coordinator answers before
//! it writes markers, so that this may happen to a transaction that ended cleanly, and between any two of one producer. So
//! each transaction writes to a partition only once nothing in it is open below the end that it finds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::kafka::{CallError, Cluster, Position, code};

/// How long ends are waited for at a time: other producers' transactions end sooner.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(2);
/// What pending offsets are called.
const OFFSETS: &str = "committed offsets, if their coordinator answers at all";

/// What a transaction writes to.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Partitions of the changelog and of outputs.
    pub partitions: BTreeSet<(String, u32)>,
    /// Inputs whose offsets it sends.
    pub inputs: BTreeSet<(String, u32)>,
}

/// What was found of the past.
#[derive(Debug)]
pub(super) enum Past {
    /// Something is still open, in words.
    Open(String),
    /// Nothing is; with the committed offsets of the inputs.
    Ended(Vec<Position>),
}

/// Waits for a while until nothing is open below its end in what is to be written, and no offset to be sent is pending.
///
/// # Errors
/// When a leader or the group's coordinator does not answer.
pub(super) fn await_ends(
    cluster: &Cluster,
    written: &Written,
    mut stamp: impl FnMut(),
) -> Result<Past, CallError> {
    if written.partitions.is_empty() {
        return Ok(Past::Ended(vec![]));
    }
    let begun = Instant::now();
    let mut open: Vec<_> = written.partitions.iter().cloned().collect();
    let mut ends = cluster.high_watermarks(&refs(&open))?;
    loop {
        let stable = cluster.last_stable(&refs(&open))?;
        let left = open.into_iter().zip(ends).zip(stable);
        (open, ends) = left.filter(|((_, end), stable)| stable < end).map(|(left, _)| left).unzip();
        if open.is_empty() {
            break;
        }
        if begun.elapsed() > PATIENCE {
            let pinned = open.iter().map(|(topic, partition)| format!("{topic}-{partition}"));
            return Ok(Past::Open(pinned.collect::<Vec<_>>().join(", ")));
        }
        stamp();
        std::thread::sleep(LOOK);
    }
    let inputs: Vec<_> = written.inputs.iter().cloned().collect();
    match cluster.committed(&refs(&inputs), PATIENCE) {
        Ok(found) => Ok(Past::Ended(found)),
        // librdkafka asks again by itself while an offset is pinned, and may answer that the time is over.
        Err(error) if matches!(error.code, code::UNSTABLE_OFFSET_COMMIT | code::TIMED_OUT) => {
            Ok(Past::Open(OFFSETS.to_owned()))
        }
        Err(error) => Err(error),
    }
}

fn refs(partitions: &[(String, u32)]) -> Vec<(&str, u32)> {
    partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect()
}
