//! The rows of `sink_offsets`: taking a partition, reading where it stands, moving it by compare-and-swap.

use millpond_mutants::{Mutant, is};
use sqlx::postgres::PgConnection;
use sqlx::{Error, Row as _};

use super::batch::Partition;
use super::topic_ids::TopicId;

/// What `sink_offsets` holds for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) topic_id: TopicId,
    pub(super) next_offset: i64,
}

/// One compare-and-swap: `partition` is to go from `expected` to `next`.
#[derive(Debug)]
pub(super) struct Move<'a> {
    pub(super) partition: &'a Partition,
    pub(super) topic_id: TopicId,
    pub(super) expected: i64,
    pub(super) next: i64,
}

/// Enters the partition at `initial` unless a row is there; returns what is stored then.
///
/// The one place with `ON CONFLICT DO NOTHING`: two sinks may meet a new partition at the same time, and
/// either's row is as good.
pub(super) async fn take(
    conn: &mut PgConnection,
    sink: &str,
    partition: &Partition,
    initial: Stored,
) -> Result<Stored, Error> {
    const INSERT: &str = "INSERT INTO sink_offsets (sink, topic, partition, topic_id, next_offset) \
        VALUES ($1, $2, $3, $4::uuid, $5) ON CONFLICT (sink, topic, partition) DO NOTHING";
    sqlx::query(INSERT)
        .bind(sink)
        .bind(partition.topic.as_str())
        .bind(partition.number)
        .bind(initial.topic_id.to_string())
        .bind(initial.next_offset)
        .execute(&mut *conn)
        .await?;
    read(conn, sink, partition).await
}

/// Returns what is stored for the partition.
///
/// # Errors
/// [`Error::RowNotFound`] when somebody deleted the row.
pub(super) async fn read(
    conn: &mut PgConnection,
    sink: &str,
    partition: &Partition,
) -> Result<Stored, Error> {
    const SELECT: &str = "SELECT topic_id::text, next_offset FROM sink_offsets \
        WHERE sink = $1 AND topic = $2 AND partition = $3";
    let row = sqlx::query(SELECT)
        .bind(sink)
        .bind(partition.topic.as_str())
        .bind(partition.number)
        .fetch_one(conn)
        .await?;
    let topic_id: String = row.try_get(0)?;
    let topic_id = uuid::Uuid::parse_str(&topic_id).map_err(|error| Error::Decode(error.into()))?;
    Ok(Stored { topic_id: TopicId(topic_id.into_bytes()), next_offset: row.try_get(1)? })
}

/// Moves the row if it is where this sink believes it to be; returns whether it was.
///
/// The row lock that the UPDATE takes makes any other sink of the same partition wait until this transaction
/// has ended, and then find another `next_offset` than it expected.
pub(super) async fn compare_and_swap(
    conn: &mut PgConnection,
    sink: &str,
    to: &Move<'_>,
) -> Result<bool, Error> {
    const UPDATE: &str = "UPDATE sink_offsets SET next_offset = $1, updated_at = now() \
        WHERE sink = $2 AND topic = $3 AND partition = $4 AND topic_id = $5::uuid AND next_offset = $6";
    /// Without the comparison; for the tests that must notice.
    const MOVE: &str = "UPDATE sink_offsets SET next_offset = $1, updated_at = now() \
        WHERE sink = $2 AND topic = $3 AND partition = $4 AND topic_id = $5::uuid AND $6::bigint IS NOT NULL";
    let done = sqlx::query(if is(Mutant::SinkWithoutSwap) { MOVE } else { UPDATE })
        .bind(to.next)
        .bind(sink)
        .bind(to.partition.topic.as_str())
        .bind(to.partition.number)
        .bind(to.topic_id.to_string())
        .bind(to.expected)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}
