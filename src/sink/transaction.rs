//! One database transaction: offsets by compare-and-swap, then rows, then COMMIT.

use sqlx::postgres::{PgConnection, PgQueryResult};
use sqlx::{Connection as _, Error, Row as _};

use super::class::{Class, class};
use super::offsets::{Move, compare_and_swap};
use super::rows::{Account, Order, Rows, Table, Violation};
use super::statements;

/// Why a transaction did not end in a known commit. Whatever the reason, nothing of it is visible, except
/// after [`WriteError::Unknown`].
#[derive(Debug)]
pub(super) enum WriteError {
    /// The row of this partition (index into the moves) is not where this sink expected it.
    Moved(usize),
    /// A statement failed; the table it was about.
    Refused(Error, Option<Table>),
    /// Stored rows contradict the events.
    Violated(Violation),
    /// COMMIT was sent and no reply came: only `sink_offsets` knows.
    Unknown(Error),
}

fn about(table: Table) -> impl Fn(Error) -> WriteError {
    move |error| WriteError::Refused(error, Some(table))
}

/// Writes `rows` and moves the offsets by `moves`, all or nothing. `moves` are in the order of partitions, so
/// that two sinks with several partitions in common cannot deadlock.
pub(super) async fn write(
    conn: &mut PgConnection,
    sink: &str,
    moves: &[Move<'_>],
    rows: &Rows<'_>,
) -> Result<(), WriteError> {
    let begin = |error| WriteError::Refused(error, None);
    let mut tx = conn.begin().await.map_err(begin)?;
    for (index, to) in moves.iter().enumerate() {
        if !compare_and_swap(&mut tx, sink, to).await.map_err(begin)? {
            tx.rollback().await.map_err(begin)?;
            return Err(WriteError::Moved(index));
        }
    }
    write_accounts(&mut tx, rows).await?;
    if !rows.changes.is_empty() {
        statements::insert_changes(&mut tx, rows).await.map_err(about(Table::BalanceChanges))?;
    }
    write_orders(&mut tx, rows).await?;
    if !rows.rejections.is_empty() {
        statements::insert_rejections(&mut tx, rows).await.map_err(about(Table::CommandRejections))?;
    }
    if !rows.letters.is_empty() {
        statements::insert_letters(&mut tx, rows).await.map_err(about(Table::DeadLetters))?;
    }
    fail::fail_point!("sink::before_commit");
    tx.commit().await.map_err(|error| match class(&error, None) {
        // Also when the server sends an error: shutting down, it may have committed before.
        Class::Transient => WriteError::Unknown(error),
        Class::Data | Class::Money | Class::Stop => WriteError::Refused(error, None),
    })?;
    fail::fail_point!("sink::after_commit");
    Ok(())
}

async fn write_accounts(conn: &mut PgConnection, rows: &Rows<'_>) -> Result<(), WriteError> {
    let (new, old): (Vec<&Account<'_>>, Vec<_>) = rows.accounts.values().partition(|a| a.first_version == 1);
    if !new.is_empty() {
        statements::insert_accounts(conn, &new).await.map_err(about(Table::Accounts))?;
    }
    if !old.is_empty() {
        let done = statements::update_accounts(conn, &old).await.map_err(about(Table::Accounts))?;
        if is_short(&done, old.len()) {
            return Err(offending_account(conn, &old).await);
        }
    }
    Ok(())
}

async fn write_orders(conn: &mut PgConnection, rows: &Rows<'_>) -> Result<(), WriteError> {
    let (new, old): (Vec<&Order<'_>>, Vec<_>) = rows.orders.values().partition(|o| o.decision.is_some());
    if !new.is_empty() {
        statements::insert_orders(conn, &new).await.map_err(about(Table::Orders))?;
    }
    if !old.is_empty() {
        let done = statements::update_orders(conn, &old).await.map_err(about(Table::Orders))?;
        if is_short(&done, old.len()) {
            return Err(offending_order(conn, &old).await);
        }
    }
    Ok(())
}

fn is_short(done: &PgQueryResult, expected: usize) -> bool {
    usize::try_from(done.rows_affected()) != Ok(expected)
}

/// Names the first account that was not updated. The updated ones already show their new version: the
/// transaction sees its own writes.
async fn offending_account(conn: &mut PgConnection, accounts: &[&Account<'_>]) -> WriteError {
    const SELECT: &str = "SELECT account_version, currency, user_id FROM accounts WHERE account_id = $1";
    for account in accounts {
        let stored = match sqlx::query(SELECT).bind(account.account_id).fetch_optional(&mut *conn).await {
            Ok(Some(row)) => row,
            Ok(None) => {
                return missing(Table::Accounts, account.account_id.to_string(), account.offset);
            }
            Err(error) => return WriteError::Refused(error, None),
        };
        let version: i64 = stored.try_get(0).unwrap_or_default();
        if version != account.last_version {
            let currency: String = stored.try_get(1).unwrap_or_default();
            let what = format!(
                "stored version {version} in {currency}; the next events begin at version {} in {} \
                 (partition {}, up to offset {})",
                account.first_version,
                account.currency.as_ref().map_or("any currency", |currency| &*currency.0),
                account.partition,
                account.offset
            );
            let row = account.account_id.to_string();
            return WriteError::Violated(Violation { table: Table::Accounts.name(), row, what: what.into() });
        }
    }
    WriteError::Violated(Violation {
        table: Table::Accounts.name(),
        row: "?".to_owned(),
        what: "fewer rows updated than accounts changed".into(),
    })
}

async fn offending_order(conn: &mut PgConnection, orders: &[&Order<'_>]) -> WriteError {
    const SELECT: &str = "SELECT refunded_fen, outcome FROM orders WHERE user_id = $1 AND order_id = $2";
    for order in orders {
        let row = format!("{}/{}", order.user_id, order.order_id);
        let query = sqlx::query(SELECT).bind(order.user_id).bind(order.order_id);
        let stored = match query.fetch_optional(&mut *conn).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return missing(Table::Orders, row, order.offset),
            Err(error) => return WriteError::Refused(error, None),
        };
        let refunded: i64 = stored.try_get(0).unwrap_or_default();
        if refunded != order.refunded_fen {
            let outcome: String = stored.try_get(1).unwrap_or_default();
            let what = format!(
                "stored as {outcome} with {refunded} fen refunded; the next refund expects {} (partition {}, \
                 offset {})",
                order.refunded_before_fen, order.partition, order.offset
            );
            return WriteError::Violated(Violation { table: Table::Orders.name(), row, what: what.into() });
        }
    }
    WriteError::Violated(Violation {
        table: Table::Orders.name(),
        row: "?".to_owned(),
        what: "fewer rows updated than orders refunded".into(),
    })
}

fn missing(table: Table, row: String, offset: i64) -> WriteError {
    let what = format!("no such row, but an event changes it (up to offset {offset})");
    WriteError::Violated(Violation { table: table.name(), row, what: what.into() })
}
