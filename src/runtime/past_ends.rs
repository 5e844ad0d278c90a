//! Whether transactions of the past have their ends in every partition that a producer is to write to.
//!
//! A cluster may lose an end (docs/reliability.md, "What Kafka itself loses"): the coordinator takes a transaction for
//! complete, and a partition has no marker of it. The next marker of the same producer id then ends both: what was aborted
//! becomes visible with the next commit, and what was committed disappears with the next abort. So a producer that was just
//! started writes to a partition only once nothing in it is open below the end that it finds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::kafka::{CallError, Cluster, code};

/// How long ends are waited for at a time: other producers' transactions end sooner. The producer is replaced after it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// What a producer knows of the partitions that it writes to.
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

    /// Waits for a while until nothing is open in `written` below its end, and no offset of `inputs` is pending; returns what
    /// still is, in words. Asks only about what it does not know yet.
    ///
    /// # Errors
    /// When a leader or the group's coordinator does not answer.
    pub(super) fn wait(
        &mut self,
        cluster: &Cluster,
        written: BTreeSet<(String, u32)>,
        inputs: BTreeSet<(String, u32)>,
        mut stamp: impl FnMut(),
    ) -> Result<Option<String>, CallError> {
        let begun = Instant::now();
        let mut left: Vec<_> = written.difference(&self.ended).cloned().collect();
        if !left.is_empty() {
            let ends = cluster.high_watermarks(&refs(&left))?;
            let mut open: Vec<_> = std::mem::take(&mut left).into_iter().zip(ends).collect();
            loop {
                let asked: Vec<_> = open.iter().map(|(partition, _)| partition.clone()).collect();
                let stable = cluster.last_stable(&refs(&asked))?;
                let mut stable = stable.into_iter();
                open.retain(|(_, end)| stable.next().is_none_or(|stable| stable < *end));
                if open.is_empty() {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    let pinned: Vec<_> =
                        open.iter().map(|((topic, partition), _)| format!("{topic}-{partition}")).collect();
                    return Ok(Some(pinned.join(", ")));
                }
                stamp();
                std::thread::sleep(LOOK);
            }
        }
        let fresh: Vec<_> = inputs.difference(&self.stable).cloned().collect();
        if !fresh.is_empty() {
            match cluster.committed(&refs(&fresh), PATIENCE) {
                Ok(_) => {}
                // librdkafka asks again by itself while an offset is pinned, and may answer that the time is over.
                Err(error) if matches!(error.code, code::UNSTABLE_OFFSET_COMMIT | code::TIMED_OUT) => {
                    return Ok(Some("committed offsets, if their coordinator answers at all".to_owned()));
                }
                Err(error) => return Err(error),
            }
        }
        self.ended.extend(written);
        self.stable.extend(inputs);
        Ok(None)
    }
}

fn refs(partitions: &[(String, u32)]) -> Vec<(&str, u32)> {
    partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect()
}
