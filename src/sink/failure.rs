//! Why the sink stopped by itself. Every message ends with what to do.

use super::topic_ids::TopicId;

/// A condition in which going on would guess. The process should end with the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The topic behind the name is not the one that was read before.
    #[error(
        "topic {topic} was re-created: sink_offsets knows it as {stored}, Kafka has {actual}. PostgreSQL holds \
         rows of the old topic up to {topic}-{partition}@{next_offset}. Point the sink at an empty database \
         (createdb, then `millpond migrate`), or restore the old topic"
    )]
    TopicRecreated {
        /// Name of the topic.
        topic: String,
        /// Partition whose row was compared.
        partition: i32,
        /// Where the sink stood in the old topic.
        next_offset: i64,
        /// Id in `sink_offsets`.
        stored: TopicId,
        /// Id in Kafka.
        actual: TopicId,
    },
    /// Retention deleted records before they were written.
    #[error(
        "{topic}-{partition}: records from offset {next_offset} up to {log_start} were deleted by retention before \
         the sink had written them. PostgreSQL cannot be completed from Kafka: restore a backup of PostgreSQL \
         that is further on, or rebuild into an empty database from a complete topic, and raise retention.ms"
    )]
    RecordsLost {
        /// Name of the topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// First offset not written.
        next_offset: i64,
        /// First offset still there.
        log_start: i64,
    },
    /// The sink is further than the topic: the broker lost committed records.
    #[error(
        "{topic}-{partition}: PostgreSQL was written up to offset {next_offset}, but the partition ends at {end}. \
         The broker lost records (unclean leader election, restored disk?): compare with `millpond verify`, then \
         point the sink at an empty database"
    )]
    BeyondEnd {
        /// Name of the topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Where the sink stands.
        next_offset: i64,
        /// Last stable offset.
        end: i64,
    },
    /// A row of `sink_offsets` that was there is gone.
    #[error(
        "{topic}-{partition}: its row in sink_offsets was deleted while the sink was running. Restore it, or \
         point the sink at an empty database"
    )]
    RowDeleted {
        /// Name of the topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// Money does not add up: stored rows and events contradict one another.
    #[error(
        "money invariant violated in {0}. Nothing of the batch was written. Run `millpond verify` to see which \
         side is wrong before anything else"
    )]
    Invariant(String),
    /// The database refuses for a reason that neither waiting nor leaving out a row can cure.
    #[error("PostgreSQL refuses: {0}. Check the schema (`millpond migrate`), the role's rights and the URL")]
    Database(String),
    /// The Kafka client reports an error it cannot recover from.
    #[error("Kafka client failed: {0}. Restart the process")]
    Kafka(String),
    /// A broken assumption of the sink itself.
    #[error("the sink broke an assumption of its own: {0}. Nothing was written; please report this")]
    Bug(String),
}
