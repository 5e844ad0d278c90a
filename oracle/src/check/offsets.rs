//! Committed offsets of the group against the markers, and what is left to be read.

use std::collections::HashMap;

use crate::disk::Nonce;
use crate::gather::{Changelog, Cut};
use crate::kafka::{Committed, TopicSpan};
use crate::place::{Names, Side};
use crate::report::{Check, Findings};

use super::title::OFFSETS;

/// Committed offsets as they were read before and after the changelog, and what the inputs hold.
pub(crate) struct Progress<'a> {
    pub(crate) before: &'a HashMap<(Side, i32), Committed>,
    pub(crate) after: &'a HashMap<(Side, i32), Committed>,
    pub(crate) inputs: &'a [TopicSpan; 2],
    /// Input data records that no committed offset covers.
    pub(crate) unprocessed: u64,
}

/// Checks every input partition; returns the check and the lag as Kafka's tools count it.
pub(crate) fn check_offsets(
    progress: &Progress<'_>,
    changelog: &Changelog,
    cut: &Cut,
    names: &Names,
) -> (Check, u64) {
    let mut findings = Findings::default();
    let (mut lag, mut partitions) = (0_u64, 0_u64);
    for (side, input) in Side::BOTH.into_iter().zip(progress.inputs) {
        for span in &input.spans {
            let task = (side, span.partition);
            let (before, after) = (progress.before.get(&task), progress.after.get(&task));
            let marker = changelog.table(span.partition).and_then(|table| table.marker.as_ref());
            let known = marker.and_then(|marker| marker.next_offset(names.topic(side)));
            let here = || format!("{}-{}", names.topic(side), span.partition);
            let next = after.map_or(span.start, |after| after.offset);
            lag += u64::try_from(span.end.saturating_sub(next)).unwrap_or(0);
            let Some(after) = after else {
                if let Some(known) = known {
                    findings.differ(|| format!("{}: no committed offset, the marker says {known}", here()));
                }
                continue;
            };
            partitions += 1;
            findings.looked_at();
            let Some(known) = known else {
                let offset = after.offset;
                findings.differ(|| format!("{}: committed offset {offset}, the marker knows none", here()));
                continue;
            };
            // On a running system the marker lies between the two readings.
            let earliest = before.map_or(0, |before| before.offset);
            if !(earliest..=after.offset).contains(&known) {
                let committed = after.offset;
                findings
                    .differ(|| format!("{}: committed offset {committed}, the marker says {known}", here()));
            }
            if cut.next(side, span.partition) > span.end {
                let end = span.end;
                findings.differ(|| format!("{}: the marker says {known}, the log ends at {end}", here()));
            }
            let is_still = before == Some(after);
            match Nonce::parse(&after.metadata) {
                // Set by an operator to where the state stands, and nothing was committed since.
                None if after.metadata.is_empty() && after.offset == known => {}
                None => findings.differ(|| format!("{}: metadata {:?} is no nonce", here(), after.metadata)),
                Some(nonce) => {
                    let sequence = marker.map_or(0, |marker| marker.sequence);
                    if is_still && nonce.sequence != sequence {
                        let Nonce { sequence: found, attempt, transactional_id } = nonce;
                        findings.differ(|| {
                            format!(
                                "{}: nonce of {transactional_id} has sequence {found} (attempt {attempt}), \
                                 the marker {sequence}",
                                here()
                            )
                        });
                    }
                }
            }
        }
    }
    let unprocessed = progress.unprocessed;
    let figure = format!("{partitions} input partitions, lag {lag}, {unprocessed} records not yet processed");
    (findings.conclude(OFFSETS, figure), lag)
}
