//! All sources of a target, each read after those that it must contain.

use std::collections::HashMap;
use std::path::PathBuf;

use super::changelog::{Changelog, read_changelog};
use super::cut::Cut;
use super::inputs::{Inputs, read_inputs};
use super::letters::{Letters, read_letters};
use super::outputs::{Outputs, read_outputs};
use super::snapshot::Snapshot;
use super::store::{Found, Store};
use crate::error::OracleError;
use crate::kafka::{Committed, TopicSpan, await_stable, committed, spans};
use crate::place::Side;
use crate::target::Target;

/// Committed offsets by input partition.
pub(crate) type Offsets = HashMap<(Side, i32), Committed>;

/// Stores, changelog and offsets: what the system says about itself.
pub(crate) struct State {
    /// Partition, place among the table's snapshots, store.
    pub(crate) stores: Vec<(i32, usize, Store)>,
    pub(crate) unreadable: Vec<(PathBuf, String)>,
    pub(crate) changelog: Changelog,
    pub(crate) changelog_span: TopicSpan,
    pub(crate) before: Offsets,
    pub(crate) after: Offsets,
    pub(crate) cut: Cut,
}

impl State {
    /// Reads changelog and committed offsets; the stores were opened before.
    pub(crate) fn read(target: &Target, found: Vec<Found>) -> Result<State, OracleError> {
        let topics = &target.topics;
        let [orders, commands, changelog_span] =
            three(spans(target, &[&topics.orders, &topics.commands, &topics.changelog])?, &topics.changelog)?;
        for topic in [&commands, &changelog_span] {
            require_same_count(&orders, topic)?;
        }
        let inputs = [orders, commands];
        let before = committed(target, &inputs)?;
        let (mut stores, mut unreadable) = (Vec::new(), Vec::new());
        let mut snapshots: Vec<Vec<Snapshot>> = changelog_span.spans.iter().map(|_| Vec::new()).collect();
        for found in found {
            match found {
                Found::Unreadable(path, why) => unreadable.push((path, why)),
                Found::Store(store) => {
                    let at = usize::try_from(store.metadata.partition).ok();
                    match at.and_then(|at| snapshots.get_mut(at)) {
                        None => unreadable.push((store.path, "its partition does not exist".to_owned())),
                        Some(of_task) => {
                            of_task.push(Snapshot::of(&store));
                            let partition = i32::try_from(store.metadata.partition).unwrap_or(i32::MAX);
                            stores.push((partition, of_task.len() - 1, *store));
                        }
                    }
                }
            }
        }
        let mut decided = [changelog_span];
        await_stable(target, &mut decided)?;
        let [changelog_span] = decided;
        let changelog = read_changelog(target, &changelog_span, snapshots)?;
        let after = committed(target, &inputs)?;
        let cut = Cut::of(&changelog, &target.topics.names());
        Ok(State { stores, unreadable, changelog, changelog_span, before, after, cut })
    }
}

fn three(found: Vec<TopicSpan>, last: &str) -> Result<[TopicSpan; 3], OracleError> {
    found.try_into().map_err(|_| OracleError::NoTopic { topic: last.to_owned() })
}

fn require_same_count(first: &TopicSpan, other: &TopicSpan) -> Result<(), OracleError> {
    if first.spans.len() == other.spans.len() {
        return Ok(());
    }
    let (topic, other) = ((other.topic.clone(), other.spans.len()), (first.topic.clone(), first.spans.len()));
    Err(OracleError::Partitions { topic: topic.0, found: topic.1, other: other.0, expected: other.1 })
}

/// What the topics hold, up to the cut.
pub(crate) struct Records {
    pub(crate) inputs: Inputs,
    pub(crate) outputs: Outputs,
    pub(crate) letters: Letters,
    pub(crate) input_spans: [TopicSpan; 2],
    pub(crate) account_span: TopicSpan,
    pub(crate) letter_span: TopicSpan,
}

impl Records {
    /// Reads outputs, dead letters and inputs, in this order.
    pub(crate) fn read(target: &Target, state: &State) -> Result<Records, OracleError> {
        let topics = &target.topics;
        let mut all =
            spans(target, &[&topics.orders, &topics.commands, &topics.accounts, &topics.deadletter])?;
        await_stable(target, &mut all)?;
        let mut all = all.into_iter();
        let mut next =
            |topic: &str| all.next().ok_or_else(|| OracleError::NoTopic { topic: topic.to_owned() });
        let input_spans = [next(&topics.orders)?, next(&topics.commands)?];
        let (account_span, letter_span) = (next(&topics.accounts)?, next(&topics.deadletter)?);
        let outputs = read_outputs(target, &account_span, &state.cut)?;
        let letters = read_letters(target, &letter_span)?;
        let inputs = read_inputs(target, &input_spans, &state.cut, &letters)?;
        Ok(Records { inputs, outputs, letters, input_spans, account_span, letter_span })
    }
}

/// Says which partitions begin above 0; empty when none does.
pub(crate) fn trimmed<'a>(topics: impl IntoIterator<Item = &'a TopicSpan>) -> String {
    let place = |topic: &TopicSpan| {
        let span = topic.trimmed()?;
        Some(format!(
            "{}-{} begins at offset {}: what was before is gone",
            topic.topic, span.partition, span.start
        ))
    };
    topics.into_iter().filter_map(place).collect::<Vec<_>>().join("; ")
}
