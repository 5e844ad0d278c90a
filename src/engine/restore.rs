//! Decisions of a restore: what to read, and whether what was read may be trusted.
//!
//! Every refusal is a variant of [`RestoreStop`] with its own cure. Nothing is reset, skipped or wiped here.

use millpond_mutants::{Mutant, is};
use millpond_topology::{Fingerprint, InputOffset, Marker, Restored};

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
}

/// All that a restore knows when the changelog has been read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreFacts {
    /// Application id, for the cures.
    pub app: String,
    /// Partition of the task.
    pub partition: u32,
    /// The topology's fingerprint.
    pub fingerprint: Fingerprint,
    /// Every input.
    pub inputs: Vec<CommittedInput>,
    /// The marker in the store after the changelog's end was reached.
    pub marker: Option<Marker>,
    /// The operator allowed a start above offset 0 (`start.from_trimmed_input`).
    pub may_start_trimmed: StartTrimmed,
}

/// Whether a task without state may start on an input whose beginning is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartTrimmed {
    /// No: stop and say so.
    #[default]
    Refuse,
    /// Yes: start at the log start.
    Allow,
}

/// Why a task is not started. Each says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreStop {
    /// The changelog topic was deleted and created again.
    #[error(
        "changelog {topic} was re-created since the local store was written; the state in it is not this application's. \
         Restore the topic, or, if the state is to be given up, stop all instances, delete the group's offsets and the \
         state directory and start anew"
    )]
    ChangelogRecreated {
        /// Topic.
        topic: String,
    },
    /// A compacted topic lost its beginning.
    #[error(
        "changelog {topic}-{partition} begins at offset {log_start}: it was truncated, or has a delete policy. State may be \
         missing from it. Set cleanup.policy=compact (`millpond topics check`) and restore the topic from a backup"
    )]
    ChangelogTruncated {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// First offset.
        log_start: i64,
    },
    /// The changelog is shorter than what the store has seen.
    #[error(
        "changelog {topic}-{partition} ends at {end}, the local store has read up to {position}: the topic lost records \
         (unclean election?). Compare with the other replicas before anything is deleted"
    )]
    ChangelogShorter {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// High watermark.
        end: i64,
        /// The store's position.
        position: i64,
    },
    /// There are committed offsets but no state.
    #[error(
        "group {app} has committed offset {committed} of {topic}-{partition}, but neither store nor changelog holds a \
         marker: the changelog was emptied. Restore it from a backup; going on would forget every balance"
    )]
    ChangelogEmptied {
        /// Application id.
        app: String,
        /// Input topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Committed offset.
        committed: i64,
    },
    /// The state was written by another topology.
    #[error(
        "the state of partition {partition} was written by another topology: {why}. Run the program that wrote it, or use \
         a new `app.id`"
    )]
    TopologyChanged {
        /// Partition.
        partition: u32,
        /// What differs.
        why: String,
    },
    /// An input topic was deleted and created again.
    #[error(
        "input topic {topic} was re-created: offset {next_offset} of its predecessor means nothing in it. Give the new \
         topic another name, or start a new application id"
    )]
    InputRecreated {
        /// Topic.
        topic: String,
        /// Next offset as the state knows it.
        next_offset: i64,
    },
    /// Somebody changed the group's offsets.
    #[error(
        "group {app} has committed offset {committed} of {topic}-{partition}, the state stands at {marker}: the offsets \
         were moved from outside. Set them back to {marker}; input offsets are never reset without the state"
    )]
    OffsetsMoved {
        /// Application id.
        app: String,
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Committed offset.
        committed: i64,
        /// Next offset as the state knows it.
        marker: i64,
    },
    /// Some inputs of the task have committed offsets and others have none.
    #[error(
        "group {app} has no committed offset of {topic}-{partition}, though the task's other inputs have one: it was \
         deleted from outside. The state stands at {marker}: set it to that"
    )]
    OffsetsDeleted {
        /// Application id.
        app: String,
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Next offset as the state knows it.
        marker: i64,
    },
    /// Retention deleted input that was not processed.
    #[error(
        "{topic}-{partition} begins at {log_start}, but the next offset to process is {next_offset}: retention deleted \
         {lost} unprocessed records. They are lost to this application unless the topic is restored; raise its retention"
    )]
    RetentionPassed {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// First offset.
        log_start: i64,
        /// Next offset to process.
        next_offset: i64,
        /// How many are missing at most.
        lost: i64,
    },
    /// The input ends before what was already processed.
    #[error(
        "{topic}-{partition} ends at {end}, but records up to {next_offset} were already processed: the topic lost records \
         (unclean election?). Nothing new may be read at those offsets"
    )]
    InputShorter {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// High watermark.
        end: i64,
        /// Next offset to process.
        next_offset: i64,
    },
    /// A first start on an input whose beginning is gone.
    #[error(
        "{topic}-{partition} begins at offset {log_start} and this application has no state yet: records before it are \
         gone. If that is meant, start once with `start.trimmed_input=allow`"
    )]
    InputTrimmed {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// First offset.
        log_start: i64,
    },
}

/// Decides what to read of `changelog`, given the local store.
///
/// # Errors
/// [`RestoreStop`] when the changelog is not the one that the store was written from, or lost records.
pub fn plan(changelog: &Changelog, store: Option<&StoreFacts>) -> Result<Plan, RestoreStop> {
    let (topic, partition) = (changelog.topic.clone(), changelog.partition);
    if store.is_some_and(|store| store.changelog_topic_id != changelog.topic_id) {
        return Err(RestoreStop::ChangelogRecreated { topic });
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
    let partition = facts.partition;
    let Some(marker) = facts.marker else {
        return fresh(&facts.app, partition, &facts.inputs, facts.may_start_trimmed);
    };
    if let Some(why) = facts.fingerprint.refuses(&marker.fingerprint) {
        return Err(RestoreStop::TopologyChanged { partition, why });
    }
    let any_committed = facts.inputs.iter().any(|input| input.committed.is_some());
    for input in &facts.inputs {
        let topic = input.facts.topic.clone();
        let Some(known) = marker.inputs.iter().find(|known| known.topic == topic) else {
            let why = format!("it did not read {topic}");
            return Err(RestoreStop::TopologyChanged { partition, why });
        };
        let next_offset = known.next_offset;
        if known.topic_id != input.facts.topic_id {
            return Err(RestoreStop::InputRecreated { topic, next_offset });
        }
        let app = facts.app.clone();
        match input.committed {
            Some(committed) if committed != next_offset && !is(Mutant::NoMarkerCheck) => {
                return Err(RestoreStop::OffsetsMoved {
                    app,
                    topic,
                    partition,
                    committed,
                    marker: next_offset,
                });
            }
            None if any_committed => {
                return Err(RestoreStop::OffsetsDeleted { app, topic, partition, marker: next_offset });
            }
            // All expired together: the state itself says where to go on.
            None | Some(_) => {}
        }
        if next_offset < input.facts.log_start {
            let log_start = input.facts.log_start;
            let lost = log_start - next_offset;
            return Err(RestoreStop::RetentionPassed { topic, partition, log_start, next_offset, lost });
        }
        if next_offset > input.facts.high_watermark {
            let end = input.facts.high_watermark;
            return Err(RestoreStop::InputShorter { topic, partition, end, next_offset });
        }
    }
    Ok(Restored::from(marker))
}

/// A task that has never committed starts at the start of its inputs.
fn fresh(
    app: &str,
    partition: u32,
    inputs: &[CommittedInput],
    trimmed: StartTrimmed,
) -> Result<Restored, RestoreStop> {
    for input in inputs {
        let topic = input.facts.topic.clone();
        if let Some(committed) = input.committed {
            return Err(RestoreStop::ChangelogEmptied { app: app.to_owned(), topic, partition, committed });
        }
        if input.facts.log_start > 0 && trimmed == StartTrimmed::Refuse {
            return Err(RestoreStop::InputTrimmed { topic, partition, log_start: input.facts.log_start });
        }
    }
    let inputs = inputs.iter().map(|input| InputOffset {
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
