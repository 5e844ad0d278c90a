//! Whether transactions of the past have their ends in every partition that a producer is to write to (ADR 6).
//!
//! A cluster may lose an end (docs/reliability.md, "What Kafka itself loses"): the coordinator takes a transaction for
//! complete, and a partition has no marker of it. The next marker of the same producer id then ends both: what was aborted
//! becomes visible with the next commit, and what was committed disappears with the next abort. A coordinator answers before
//! it writes markers, so that this may happen to a transaction that ended cleanly, and between any two of one producer. So
//! each transaction writes to a partition only once nothing in it is open below the end that it finds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::kafka::{CallError, Cluster, code};

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

/// What a producer knows of what it writes to.
#[derive(Debug, Default)]
pub(super) struct PastEnds {
    /// Partitions in which nothing is left open.
    ended: BTreeSet<(String, u32)>,
    /// Inputs whose committed offsets are stable.
    stable: BTreeSet<(String, u32)>,
}

impl PastEnds {
    /// Forgets everything: another producer begins.
    pub(super) fn clear(&mut self) {
        self.ended.clear();
        self.stable.clear();
    }

    /// Takes note that a transaction is written now, whose own end is yet to be seen.
    pub(super) fn writes(&mut self, written: &Written) {
        self.ended.retain(|partition| !written.partitions.contains(partition));
        self.stable.retain(|input| !written.inputs.contains(input));
    }

    /// Waits for a while until nothing is open below its end in what is to be written, and no offset to be sent is pending;
    /// returns what still is, in words. Asks only about what it does not know yet.
    ///
    /// # Errors
    /// When a leader or the group's coordinator does not answer.
    pub(super) fn wait(
        &mut self,
        cluster: &Cluster,
        written: &Written,
        mut stamp: impl FnMut(),
    ) -> Result<Option<String>, CallError> {
        let begun = Instant::now();
        let fresh: Vec<_> = written.partitions.difference(&self.ended).cloned().collect();
        if !fresh.is_empty() {
            let ends = cluster.high_watermarks(&refs(&fresh))?;
            let mut open: Vec<_> = fresh.into_iter().zip(ends).collect();
            loop {
                let asked: Vec<_> = open.iter().map(|(partition, _)| partition.clone()).collect();
                let mut stable = cluster.last_stable(&refs(&asked))?.into_iter();
                open.retain(|(partition, end)| {
                    let is_open = stable.next().is_none_or(|stable| stable < *end);
                    if !is_open {
                        self.ended.insert(partition.clone());
                    }
                    is_open
                });
                if open.is_empty() {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    let pinned = open.iter().map(|((topic, partition), _)| format!("{topic}-{partition}"));
                    return Ok(Some(pinned.collect::<Vec<_>>().join(", ")));
                }
                stamp();
                std::thread::sleep(LOOK);
            }
        }
        let fresh: Vec<_> = written.inputs.difference(&self.stable).cloned().collect();
        if !fresh.is_empty() {
            match cluster.committed(&refs(&fresh), PATIENCE) {
                Ok(_) => self.stable.extend(fresh),
                // librdkafka asks again by itself while an offset is pinned, and may answer that the time is over.
                Err(error) if matches!(error.code, code::UNSTABLE_OFFSET_COMMIT | code::TIMED_OUT) => {
                    return Ok(Some(OFFSETS.to_owned()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

fn refs(partitions: &[(String, u32)]) -> Vec<(&str, u32)> {
    partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect()
}
