//! Taking a partition: what the cluster knows, what `sink_offsets` knows, and whether the two agree.

use std::sync::Arc;

use sqlx::postgres::PgConnection;

use super::batch::Partition;
use super::failure::Failure;
use super::offsets::{self, Stored};
use super::shared::Shared;
use super::watch::{Facts, facts};

/// Why a partition was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// Kafka did not answer: ask again later.
    Kafka(String),
    /// The position is beyond the end: a new leader may not have caught up; ask again, within limits.
    BeyondEnd(Failure),
    /// The database did not answer or refused.
    Database(sqlx::Error),
    /// It must not be read.
    Never(Failure),
}

/// Asks Kafka about the partition, on a thread that may block.
pub(super) async fn look_up(shared: &Arc<Shared>, partition: &Arc<Partition>) -> Result<Facts, NotTaken> {
    let (shared, partition) = (Arc::clone(shared), Arc::clone(partition));
    let asked = tokio::task::spawn_blocking(move || facts(&shared, &partition)).await;
    match asked {
        Ok(facts) => facts.map_err(NotTaken::Kafka),
        Err(panicked) => Err(NotTaken::Never(Failure::Bug(panicked.to_string()))),
    }
}

/// Enters the partition in `sink_offsets` or finds it there; returns where to read on.
pub(super) async fn take(
    conn: &mut PgConnection,
    sink: &str,
    partition: &Partition,
    facts: Facts,
) -> Result<Stored, NotTaken> {
    let initial = Stored { topic_id: facts.topic_id, next_offset: facts.log_start };
    let stored = offsets::take(conn, sink, partition, initial).await.map_err(NotTaken::Database)?;
    let (topic, number, next_offset) = (partition.topic.clone(), partition.number, stored.next_offset);
    if stored.topic_id != facts.topic_id {
        return Err(NotTaken::Never(Failure::TopicRecreated {
            topic,
            partition: number,
            next_offset,
            stored: stored.topic_id,
            actual: facts.topic_id,
        }));
    }
    if next_offset < facts.log_start {
        let log_start = facts.log_start;
        let lost = Failure::RecordsLost { topic, partition: number, next_offset, log_start };
        return Err(NotTaken::Never(lost));
    }
    if next_offset > facts.end {
        let beyond = Failure::BeyondEnd { topic, partition: number, next_offset, end: facts.end };
        return Err(NotTaken::BeyondEnd(beyond));
    }
    Ok(stored)
}
