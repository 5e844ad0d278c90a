//! Why a task is not started: every disagreement of state, changelog, offsets and topics, each with its cure.
//!
//! A cure is what a person can do today, with a command that exists. None of them lets the application go on with less than
//! it had, unless that person says so.

/// Why a task is not started. Each says what happened, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreStop {
    /// The changelog topic was deleted and created again.
    #[error(
        "changelog {topic}-{partition} was re-created: it is not the topic that {folder} was written from, and need not hold \
         the same state. Once it is filled from a backup that reaches the last transaction, move that folder aside and start \
         again: the state is rebuilt from it and compared with the committed offsets. Without a backup only a new `app.id` is \
         left, which processes its inputs from their beginning"
    )]
    ChangelogRecreated {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Folder of the local store.
        folder: String,
    },
    /// A compacted topic lost its beginning.
    #[error(
        "changelog {topic}-{partition} begins at offset {log_start}: records were deleted from it, state may be missing. \
         `millpond topics check` says whether its cleanup.policy does that. Re-create the topic (`millpond topics init \
         --execute`), fill it from a backup that reaches the last transaction, move the application's folder in `state.dir` \
         aside and start again. Without a backup only a new `app.id` is left, which processes its inputs from their beginning"
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
         (unclean election?). Compare with the other replicas (kafka-dump-log.sh) before anything is deleted"
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
        "group {app} has committed {topic}-{partition}@{committed}, but neither the local store nor {changelog}-{partition} \
         holds a marker: the changelog was emptied, and going on would forget every balance. Fill it from a backup that \
         reaches the last transaction and start again. Without a backup only a new `app.id` is left, which processes its \
         inputs from their beginning"
    )]
    ChangelogEmptied {
        /// Application id.
        app: String,
        /// Changelog topic.
        changelog: String,
        /// Input topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Committed offset.
        committed: i64,
    },
    /// The changelog lost its end, and the local store that held it is gone too.
    #[error(
        "the state of {topic}-{partition} ends with transaction {known} at offset {marker}, but transaction {sequence} has \
         committed offset {committed}: {changelog}-{partition} lost its end. What lies between is in the output topics \
         already and would be booked twice, so do not move the offsets. Start where a `state.dir` still holds the whole \
         state, or fill the changelog from a backup that reaches that transaction. Without either only a new `app.id` is \
         left, which processes its inputs from their beginning"
    )]
    StateBehind {
        /// Input topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Committed offset.
        committed: i64,
        /// Transaction of the task that committed it.
        sequence: u64,
        /// Next offset as the state knows it.
        marker: i64,
        /// Last transaction that the state knows.
        known: u64,
        /// Changelog topic.
        changelog: String,
    },
    /// The state was written by another topology.
    #[error(
        "the state of partition {partition} was written by another topology: {why}. Run the program with the topic names \
         (`topics.*.name`) that wrote it, or use a new `app.id`"
    )]
    TopologyChanged {
        /// Partition.
        partition: u32,
        /// What differs.
        why: String,
    },
    /// An input topic was deleted and created again.
    #[error(
        "input {topic}-{partition} was re-created: offset {next_offset}, where the state goes on, means nothing in the new \
         topic. State and topic no longer belong together: process the new topic under a new `app.id` (`millpond topics init \
         --execute` creates its changelog)"
    )]
    InputRecreated {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Next offset as the state knows it.
        next_offset: i64,
    },
    /// Somebody changed the group's offsets.
    #[error(
        "group {app} has committed offset {committed} of {topic}-{partition}, the state stands at {marker}: the offset was \
         moved from outside. Input offsets are never changed without the state. Stop every instance and set it back: {}",
        set_back(.brokers, .app, .topic, .partition, .marker)
    )]
    OffsetsMoved {
        /// Application id.
        app: String,
        /// Bootstrap servers.
        brokers: String,
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
        "group {app} has no committed offset of {topic}-{partition}, though the task's other inputs have one: it was deleted \
         from outside. The state stands at {marker}. Stop every instance and set it to that: {}",
        set_back(.brokers, .app, .topic, .partition, .marker)
    )]
    OffsetsDeleted {
        /// Application id.
        app: String,
        /// Bootstrap servers.
        brokers: String,
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Next offset as the state knows it.
        marker: i64,
    },
    /// Retention deleted input that was not processed.
    #[error(
        "{topic}-{partition} begins at offset {log_start}, but the next one to process is {next_offset}: up to {lost} records \
         were deleted unprocessed (retention, DeleteRecords). To go on without them, start with \
         `--set start.trimmed_input=allow`; then raise the topic's retention.ms"
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
         (unclean election?). Write nothing to it, new records at those offsets would be skipped, and compare with the other \
         replicas (kafka-dump-log.sh)"
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
         gone. If that is meant, start once with `--set start.trimmed_input=allow`"
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

impl RestoreStop {
    /// Says whether a broker that was cut off, and does not know yet what came after, may have led to this with an old
    /// changelog end or committed offset. It is found again before it is believed. An input or changelog that is too short is
    /// not among them: one that lost its end and is written to again would look whole after a while.
    #[must_use]
    pub fn may_be_outdated(&self) -> bool {
        matches!(
            self,
            Self::ChangelogEmptied { .. }
                | Self::StateBehind { .. }
                | Self::OffsetsMoved { .. }
                | Self::OffsetsDeleted { .. }
        )
    }
}

/// Returns the command that gives the group the offset that the state stands at.
fn set_back(brokers: &str, app: &str, topic: &str, partition: &u32, marker: &i64) -> String {
    format!(
        "kafka-consumer-groups.sh --bootstrap-server {brokers} --group {app} --topic {topic}:{partition} \
         --reset-offsets --to-offset {marker} --execute"
    )
}
