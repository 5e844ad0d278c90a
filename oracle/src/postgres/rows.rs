//! The tables' rows, a page at a time in the order of their keys.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::session::{PAGE_ROWS, Session};
use crate::error::OracleError;
use crate::fingerprint::{self, Digest32};

/// A row of `accounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) user: i64,
    pub(crate) currency: String,
    pub(crate) overdraft: i64,
    pub(crate) balance: i64,
    pub(crate) total_credited: i64,
    pub(crate) total_debited: i64,
    pub(crate) status: String,
    pub(crate) version: i64,
    pub(crate) at: (i32, i64),
    pub(crate) changed_ms: i64,
}

/// A row of `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderRow {
    pub(crate) key: (i64, i64),
    pub(crate) outcome: String,
    pub(crate) amount: i64,
    pub(crate) currency: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) refunded: i64,
    pub(crate) cancelled: bool,
    pub(crate) at: (i32, i64),
    pub(crate) decided_ms: i64,
    pub(crate) changed_ms: i64,
}

/// A row of `balance_changes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeRow {
    pub(crate) at: (i32, i64),
    pub(crate) event_id: String,
    pub(crate) kind: String,
    pub(crate) user: i64,
    pub(crate) delta: i64,
    pub(crate) balance_after: i64,
    pub(crate) currency: String,
    pub(crate) version: i64,
    pub(crate) order: Option<i64>,
    pub(crate) refund: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) source: (String, i32, i64),
    pub(crate) occurred_ms: i64,
}

/// A row of `command_rejections`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectionRow {
    pub(crate) at: (i32, i64),
    pub(crate) event_id: String,
    pub(crate) user: i64,
    pub(crate) command: String,
    pub(crate) reason: String,
    pub(crate) reference: Option<String>,
    pub(crate) refund: Option<String>,
    pub(crate) order: Option<i64>,
    pub(crate) source: (String, i32, i64),
    pub(crate) occurred_ms: i64,
}

/// A row of `dead_letters`, its bytes as digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterRow {
    pub(crate) at: (i32, i64),
    pub(crate) app: String,
    pub(crate) source: (String, i32, i64),
    pub(crate) code: String,
    pub(crate) key: Digest32,
    pub(crate) value: Digest32,
}

macro_rules! milliseconds {
    ($column:literal) => {
        concat!("(extract(epoch FROM ", $column, ") * 1000)::bigint")
    };
}

impl Session {
    /// Returns the accounts behind `after`, by user.
    pub(crate) async fn accounts(&mut self, after: i64) -> Result<Vec<AccountRow>, OracleError> {
        let select = concat!(
            "SELECT user_id, currency, overdraft_fen, balance_fen, total_credited_fen, ",
            "total_debited_fen, status, ",
            "account_version, partition, \"offset\", ",
            milliseconds!("changed_at"),
            " AS changed_ms ",
            "FROM accounts WHERE account_id > $1 ORDER BY account_id LIMIT $2"
        );
        let rows = sqlx::query(select).bind(after).bind(PAGE_ROWS).fetch_all(&mut self.connection).await;
        rows.and_then(|rows| rows.iter().map(account).collect()).map_err(OracleError::postgres("accounts"))
    }

    /// Returns the orders behind `after`, by user and order.
    pub(crate) async fn orders(&mut self, after: (i64, i64)) -> Result<Vec<OrderRow>, OracleError> {
        let select = concat!(
            "SELECT user_id, order_id, outcome, amount_fen, currency, reason, refunded_fen, cancelled, ",
            "partition, ",
            "\"offset\", ",
            milliseconds!("decided_at"),
            " AS decided_ms, ",
            milliseconds!("changed_at"),
            " AS changed_ms FROM orders WHERE (user_id, order_id) > ($1, $2) ",
            "ORDER BY user_id, order_id LIMIT $3"
        );
        let query = sqlx::query(select).bind(after.0).bind(after.1).bind(PAGE_ROWS);
        let rows = query.fetch_all(&mut self.connection).await;
        rows.and_then(|rows| rows.iter().map(order).collect()).map_err(OracleError::postgres("orders"))
    }

    /// Returns the balance changes behind `after`, by partition and offset.
    pub(crate) async fn changes(&mut self, after: (i32, i64)) -> Result<Vec<ChangeRow>, OracleError> {
        let select = concat!(
            "SELECT partition, \"offset\", event_id::text AS event_id, kind, user_id, ",
            "delta_fen, balance_after_fen, ",
            "currency, account_version, order_id, refund_id, reference, source_topic, source_partition, ",
            "source_offset, ",
            milliseconds!("occurred_at"),
            " AS occurred_ms FROM balance_changes ",
            "WHERE (partition, \"offset\") > ($1, $2) ORDER BY partition, \"offset\" LIMIT $3"
        );
        let query = sqlx::query(select).bind(after.0).bind(after.1).bind(PAGE_ROWS);
        let rows = query.fetch_all(&mut self.connection).await;
        rows.and_then(|rows| rows.iter().map(change).collect())
            .map_err(OracleError::postgres("balance_changes"))
    }

    /// Returns the rejections behind `after`, by partition and offset.
    pub(crate) async fn rejections(&mut self, after: (i32, i64)) -> Result<Vec<RejectionRow>, OracleError> {
        let select = concat!(
            "SELECT partition, \"offset\", event_id::text AS event_id, user_id, command, reason, reference, ",
            "refund_id, order_id, source_topic, source_partition, source_offset, ",
            milliseconds!("occurred_at"),
            " AS occurred_ms FROM command_rejections ",
            "WHERE (partition, \"offset\") > ($1, $2) ORDER BY partition, \"offset\" LIMIT $3"
        );
        let query = sqlx::query(select).bind(after.0).bind(after.1).bind(PAGE_ROWS);
        let rows = query.fetch_all(&mut self.connection).await;
        let failed = OracleError::postgres("command_rejections");
        rows.and_then(|rows| rows.iter().map(rejection).collect()).map_err(failed)
    }

    /// Returns the processor's dead letters behind `after`, by their place in the dead-letter topic.
    pub(crate) async fn letters(&mut self, after: (i32, i64)) -> Result<Vec<LetterRow>, OracleError> {
        let select = "SELECT letter_partition AS partition, letter_offset AS \"offset\", app, \
             topic AS source_topic, \
             partition AS source_partition, \"offset\" AS source_offset, code, key, value FROM dead_letters \
             WHERE origin = 'processor' AND (letter_partition, letter_offset) > ($1, $2) \
             ORDER BY letter_partition, letter_offset LIMIT $3";
        // Values are up to 1 MiB each.
        let query = sqlx::query(select).bind(after.0).bind(after.1).bind(PAGE_ROWS / 100);
        let rows = query.fetch_all(&mut self.connection).await;
        rows.and_then(|rows| rows.iter().map(letter).collect()).map_err(OracleError::postgres("dead_letters"))
    }

    /// Returns where the sink itself gave up: app, topic, partition, offset, code and message.
    pub(crate) async fn sink_failures(&mut self) -> Result<Vec<String>, OracleError> {
        let select = "SELECT app || ': ' || topic || '-' || partition || '@' || \"offset\" \
             || ': ' || code || ': ' \
             || message AS what FROM dead_letters WHERE origin <> 'processor' OR letter_offset IS NULL \
             ORDER BY topic, partition, \"offset\" LIMIT 1000";
        let rows = sqlx::query(select).fetch_all(&mut self.connection).await;
        rows.and_then(|rows| rows.iter().map(|row| row.try_get("what")).collect())
            .map_err(OracleError::postgres("dead_letters"))
    }
}

fn at(row: &PgRow) -> Result<(i32, i64), sqlx::Error> {
    Ok((row.try_get("partition")?, row.try_get("offset")?))
}

fn source(row: &PgRow) -> Result<(String, i32, i64), sqlx::Error> {
    Ok((row.try_get("source_topic")?, row.try_get("source_partition")?, row.try_get("source_offset")?))
}

fn account(row: &PgRow) -> Result<AccountRow, sqlx::Error> {
    Ok(AccountRow {
        user: row.try_get("user_id")?,
        currency: row.try_get("currency")?,
        overdraft: row.try_get("overdraft_fen")?,
        balance: row.try_get("balance_fen")?,
        total_credited: row.try_get("total_credited_fen")?,
        total_debited: row.try_get("total_debited_fen")?,
        status: row.try_get("status")?,
        version: row.try_get("account_version")?,
        at: at(row)?,
        changed_ms: row.try_get("changed_ms")?,
    })
}

fn order(row: &PgRow) -> Result<OrderRow, sqlx::Error> {
    Ok(OrderRow {
        key: (row.try_get("user_id")?, row.try_get("order_id")?),
        outcome: row.try_get("outcome")?,
        amount: row.try_get("amount_fen")?,
        currency: row.try_get("currency")?,
        reason: row.try_get("reason")?,
        refunded: row.try_get("refunded_fen")?,
        cancelled: row.try_get("cancelled")?,
        at: at(row)?,
        decided_ms: row.try_get("decided_ms")?,
        changed_ms: row.try_get("changed_ms")?,
    })
}

fn change(row: &PgRow) -> Result<ChangeRow, sqlx::Error> {
    Ok(ChangeRow {
        at: at(row)?,
        event_id: row.try_get("event_id")?,
        kind: row.try_get("kind")?,
        user: row.try_get("user_id")?,
        delta: row.try_get("delta_fen")?,
        balance_after: row.try_get("balance_after_fen")?,
        currency: row.try_get("currency")?,
        version: row.try_get("account_version")?,
        order: row.try_get("order_id")?,
        refund: row.try_get("refund_id")?,
        reference: row.try_get("reference")?,
        source: source(row)?,
        occurred_ms: row.try_get("occurred_ms")?,
    })
}

fn rejection(row: &PgRow) -> Result<RejectionRow, sqlx::Error> {
    Ok(RejectionRow {
        at: at(row)?,
        event_id: row.try_get("event_id")?,
        user: row.try_get("user_id")?,
        command: row.try_get("command")?,
        reason: row.try_get("reason")?,
        reference: row.try_get("reference")?,
        refund: row.try_get("refund_id")?,
        order: row.try_get("order_id")?,
        source: source(row)?,
        occurred_ms: row.try_get("occurred_ms")?,
    })
}

fn letter(row: &PgRow) -> Result<LetterRow, sqlx::Error> {
    let digest = |bytes: Option<&[u8]>| fingerprint::of_bytes(bytes);
    Ok(LetterRow {
        at: at(row)?,
        app: row.try_get("app")?,
        source: source(row)?,
        code: row.try_get("code")?,
        key: digest(row.try_get("key")?),
        value: digest(row.try_get("value")?),
    })
}
