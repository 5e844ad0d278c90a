//! Decisions of a restore: what to read, and whether what was read may be trusted.
//!
//! Every refusal is a variant of [`RestoreStop`] with its own cure. Nothing is reset, skipped or wiped here.

use millpond_mutants::{Mutant, is};
use millpond_topology::{Fingerprint, InputOffset, Marker, Restored};

use super::refusal::RestoreStop;

/// The changelog partition as the broker describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changelog {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Topic id.
    pub topic_id: [u8; 16],
    /// First offset.
    pub log_start: i64,
    /// End offset, open transactions included.
    pub high_watermark: i64,
}

/// The local store as found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFacts {
    /// Its folder, for the cures.
    pub folder: String,
    /// Topic id of the changelog it was written from.
    pub changelog_topic_id: [u8; 16],
    /// Next changelog offset to read.
    pub position: i64,
    /// Its last flush is older than half of `delete.retention.ms`: it may have missed tombstones.
    pub is_stale: bool,
}

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The changelog from its start: there is no local store.
    FromStart,
    /// The changelog from the store's position.
    Tail {
        /// First offset to read.
        from: i64,
    },
    /// The store is set aside and the changelog is read from its start.
    Rebuild {
        /// Why, for the log.
        why: &'static str,
    },
}

/// An input partition as the broker describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFacts {
    /// Topic.
    pub topic: String,
    /// Topic id.
    pub topic_id: [u8; 16],
    /// First offset.
    pub log_start: i64,
    /// End offset, open transactions included.
    pub high_watermark: i64,
}

/// An input with the group's stable committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedInput {
    /// The partition.
    pub facts: InputFacts,
    /// Committed offset; `None` when there is none.
    pub committed: Option<i64>,
    /// Sequence of the task's transaction that committed it; `None` when it was none.
    pub sequence: Option<u64>,
}

/// All that a restore knows when the changelog has been read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreFacts {
    /// Application id, for the cures.
    pub app: String,
    /// Bootstrap servers, for the cures.
    pub brokers: String,
    /// Changelog topic, for the cures.
    pub changelog: String,
    /// Partition of the task.
    pub partition: u32,
    /// The topology's fingerprint.
    pub fingerprint: Fingerprint,
    /// Every input.
    pub inputs: Vec<CommittedInput>,
    /// The marker in the store after the changelog's end was reached.
    pub marker: Option<Marker>,
    /// The operator allowed to go on without deleted records (`start.trimmed_input`).
    pub may_start_trimmed: StartTrimmed,
}

/// Whether a task may go on where records that it has not processed are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartTrimmed {
    /// No: stop and say so.
    #[default]
    Refuse,
    /// Yes: go on at the log start.
    Allow,
}

/// Decides what to read of `changelog`, given the local store.
///
/// # Errors
/// [`RestoreStop`] when the changelog is not the one that the store was written from, or lost records.
pub fn plan(changelog: &Changelog, store: Option<&StoreFacts>) -> Result<Plan, RestoreStop> {
    let (topic, partition) = (changelog.topic.clone(), changelog.partition);
    if let Some(store) = store.filter(|store| store.changelog_topic_id != changelog.topic_id) {
        let folder = store.folder.clone();
        return Err(RestoreStop::ChangelogRecreated { topic, partition, folder });
    }
    if changelog.log_start > 0 {
        return Err(RestoreStop::ChangelogTruncated { topic, partition, log_start: changelog.log_start });
    }
    match store {
        None => Ok(Plan::FromStart),
        Some(store) if store.position > changelog.high_watermark => {
            let (end, position) = (changelog.high_watermark, store.position);
            Err(RestoreStop::ChangelogShorter { topic, partition, end, position })
        }
        Some(store) if store.is_stale => {
            Ok(Plan::Rebuild { why: "its last flush is so old that it may have missed deletions" })
        }
        Some(store) => Ok(Plan::Tail { from: store.position }),
    }
}

/// Decides where a restored task goes on.
///
/// # Errors
/// [`RestoreStop`] when marker, committed offsets and topics do not agree.
pub fn conclude(facts: RestoreFacts) -> Result<Restored, RestoreStop> {
    let Some(mut marker) = facts.marker.clone() else { return fresh(&facts) };
    let partition = facts.partition;
    if let Some(why) = facts.fingerprint.refuses(&marker.fingerprint) {
        return Err(RestoreStop::TopologyChanged { partition, why });
    }
    for input in &facts.inputs {
        let topic = input.facts.topic.clone();
        let Some(known) = marker.inputs.iter_mut().find(|known| known.topic == topic) else {
            let why = format!("it did not read {topic}");
            return Err(RestoreStop::TopologyChanged { partition, why });
        };
        let next_offset = known.next_offset;
        if known.topic_id != input.facts.topic_id {
            return Err(RestoreStop::InputRecreated { topic, partition, next_offset });
        }
        agrees(&facts, input, marker.sequence, next_offset)?;
        let (log_start, end) = (input.facts.log_start, input.facts.high_watermark);
        if next_offset > end {
            return Err(RestoreStop::InputShorter { topic, partition, end, next_offset });
        }
        if next_offset < log_start {
            if facts.may_start_trimmed == StartTrimmed::Refuse {
                let lost = log_start - next_offset;
                return Err(RestoreStop::RetentionPassed { topic, partition, log_start, next_offset, lost });
            }
            known.next_offset = log_start;
        }
    }
    Ok(Restored::from(marker))
}

/// Compares the committed offset of `input` with `next_offset`, where the state stands after transaction `known`.
fn agrees(
    facts: &RestoreFacts,
    input: &CommittedInput,
    known: u64,
    next_offset: i64,
) -> Result<(), RestoreStop> {
    let (app, brokers) = (facts.app.clone(), facts.brokers.clone());
    let (topic, partition) = (input.facts.topic.clone(), facts.partition);
    match (input.committed, input.sequence) {
        (Some(_), _) if is(Mutant::NoMarkerCheck) => Ok(()),
        // Committed by the application itself: the offset is right and the state is not. A transaction of punctuators alone
        // moves no offset.
        (Some(committed), Some(sequence)) if sequence > known && committed >= next_offset => {
            let changelog = facts.changelog.clone();
            Err(RestoreStop::StateBehind {
                topic,
                partition,
                committed,
                sequence,
                marker: next_offset,
                known,
                changelog,
            })
        }
        (Some(committed), _) if committed == next_offset => Ok(()),
        (Some(committed), _) => {
            Err(RestoreStop::OffsetsMoved { app, brokers, topic, partition, committed, marker: next_offset })
        }
        // All expired together: the state itself says where to go on.
        (None, _) if facts.inputs.iter().all(|input| input.committed.is_none()) => Ok(()),
        (None, _) => Err(RestoreStop::OffsetsDeleted { app, brokers, topic, partition, marker: next_offset }),
    }
}

/// A task that has never committed starts at the start of its inputs.
fn fresh(facts: &RestoreFacts) -> Result<Restored, RestoreStop> {
    let partition = facts.partition;
    for input in &facts.inputs {
        let topic = input.facts.topic.clone();
        if let Some(committed) = input.committed {
            let (app, changelog) = (facts.app.clone(), facts.changelog.clone());
            return Err(RestoreStop::ChangelogEmptied { app, changelog, topic, partition, committed });
        }
        if input.facts.log_start > 0 && facts.may_start_trimmed == StartTrimmed::Refuse {
            return Err(RestoreStop::InputTrimmed { topic, partition, log_start: input.facts.log_start });
        }
    }
    let inputs = facts.inputs.iter().map(|input| InputOffset {
        topic: input.facts.topic.clone(),
        topic_id: input.facts.topic_id,
        next_offset: input.facts.log_start,
    });
    Ok(Restored {
        inputs: inputs.collect(),
        sequence: 0,
        stream_time_ms: -1,
        punctuations: Vec::new(),
        tallies: Vec::new(),
    })
}
