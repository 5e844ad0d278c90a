//! One repeatable-read transaction, opened before Kafka is read.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Executor, Row};

use crate::error::OracleError;

/// Rows fetched at a time; memory stays bounded.
pub(super) const PAGE_ROWS: i64 = 20_000;

/// Where the sink stands in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SinkOffset {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) next_offset: i64,
}

/// A snapshot of the database.
pub(crate) struct Session {
    pub(super) connection: PgConnection,
    /// Positions of `<app>.sink` in the snapshot.
    pub(crate) offsets: Vec<SinkOffset>,
}

impl Session {
    /// Opens the snapshot and reads the sink's positions in it.
    pub(crate) async fn open(url: &str, app: &str) -> Result<Session, OracleError> {
        let failed = OracleError::postgres;
        let mut connection = PgConnection::connect(url).await.map_err(failed("connecting"))?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        connection.execute(begin).await.map_err(failed("opening a snapshot"))?;
        let select = "SELECT topic, partition, next_offset FROM sink_offsets WHERE sink = $1 ORDER BY 1, 2";
        let rows = sqlx::query(select).bind(format!("{app}.sink")).fetch_all(&mut connection).await;
        let offset = |row: &PgRow| {
            let (topic, partition) = (row.try_get("topic")?, row.try_get("partition")?);
            Ok(SinkOffset { topic, partition, next_offset: row.try_get("next_offset")? })
        };
        let offsets = rows.and_then(|rows| rows.iter().map(offset).collect());
        Ok(Session { connection, offsets: offsets.map_err(failed("sink_offsets"))? })
    }

    /// Returns the next offset of a partition; 0 when the sink has not taken it yet.
    pub(crate) fn next(&self, topic: &str, partition: i32) -> i64 {
        let found = self.offsets.iter().find(|offset| offset.topic == topic && offset.partition == partition);
        found.map_or(0, |offset| offset.next_offset)
    }

    /// Ends the snapshot.
    pub(crate) async fn close(self) -> Result<(), OracleError> {
        self.connection.close().await.map_err(OracleError::postgres("closing"))
    }
}
