//! The statements that write rows: one per table, columns as arrays, so that the text never changes and the
//! server plans it once.

use sqlx::Error;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgQueryResult};

use super::event::Text;
use super::rows::{Account, Decision, Order, Origin, Rows};

fn text<'a>(text: &'a Text<'_>) -> &'a str {
    &text.0
}

fn optional<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(|text| &*text.0)
}

/// Inserts the accounts that come into being; a second birth breaks `accounts_pkey`.
pub(super) async fn insert_accounts(
    conn: &mut PgConnection,
    new: &[&Account<'_>],
) -> Result<PgQueryResult, Error> {
    const INSERT: &str = r#"
        INSERT INTO accounts (account_id, user_id, currency, overdraft_fen, balance_fen, total_credited_fen,
            total_debited_fen, status, account_version, partition, "offset", changed_at)
        SELECT account_id, user_id, currency, overdraft, balance, credited, debited, status, version,
            partition, log_offset, changed_at::timestamptz
        FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::text[], $9::bigint[], $10::integer[], $11::bigint[], $12::text[])
            AS new (account_id, user_id, currency, overdraft, balance, credited, debited, status, version,
                partition, log_offset, changed_at)"#;
    let each = || new.iter();
    sqlx::query(INSERT)
        .bind(each().map(|a| a.account_id).bind_iter())
        .bind(each().map(|a| a.user_id).bind_iter())
        .bind(each().map(|a| a.terms.as_ref().map(|(currency, _)| text(currency))).bind_iter())
        .bind(each().map(|a| a.terms.as_ref().map(|(_, overdraft)| *overdraft)).bind_iter())
        .bind(each().map(|a| a.balance_fen).bind_iter())
        .bind(each().map(|a| a.credited_fen).bind_iter())
        .bind(each().map(|a| a.debited_fen).bind_iter())
        .bind(each().map(|a| a.status.map(|status| status.as_str())).bind_iter())
        .bind(each().map(|a| a.last_version).bind_iter())
        .bind(each().map(|a| a.partition).bind_iter())
        .bind(each().map(|a| a.offset).bind_iter())
        .bind(each().map(|a| text(&a.changed_at)).bind_iter())
        .execute(conn)
        .await
}

/// Updates accounts whose stored version is the one right before the batch's first; others are not touched,
/// and the caller stops when the count of rows is short.
pub(super) async fn update_accounts(
    conn: &mut PgConnection,
    old: &[&Account<'_>],
) -> Result<PgQueryResult, Error> {
    const UPDATE: &str = r#"
        UPDATE accounts SET
            balance_fen = coalesce(new.balance, accounts.balance_fen),
            total_credited_fen = accounts.total_credited_fen + new.credited,
            total_debited_fen = accounts.total_debited_fen + new.debited,
            status = coalesce(new.status, accounts.status),
            account_version = new.version, partition = new.partition, "offset" = new.log_offset,
            changed_at = new.changed_at::timestamptz
        FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::text[], $9::bigint[], $10::integer[], $11::bigint[], $12::text[])
            AS new (account_id, user_id, currency, first_version, balance, credited, debited, status, version,
                partition, log_offset, changed_at)
        WHERE accounts.account_id = new.account_id AND accounts.user_id = new.user_id
            AND accounts.account_version = new.first_version - 1
            AND accounts.currency = coalesce(new.currency, accounts.currency)"#;
    let each = || old.iter();
    sqlx::query(UPDATE)
        .bind(each().map(|a| a.account_id).bind_iter())
        .bind(each().map(|a| a.user_id).bind_iter())
        .bind(each().map(|a| optional(&a.currency)).bind_iter())
        .bind(each().map(|a| a.first_version).bind_iter())
        .bind(each().map(|a| a.balance_fen).bind_iter())
        .bind(each().map(|a| a.credited_fen).bind_iter())
        .bind(each().map(|a| a.debited_fen).bind_iter())
        .bind(each().map(|a| a.status.map(|status| status.as_str())).bind_iter())
        .bind(each().map(|a| a.last_version).bind_iter())
        .bind(each().map(|a| a.partition).bind_iter())
        .bind(each().map(|a| a.offset).bind_iter())
        .bind(each().map(|a| text(&a.changed_at)).bind_iter())
        .execute(conn)
        .await
}

/// Appends balance changes; a repeated one breaks `balance_changes_pkey`.
pub(super) async fn insert_changes(conn: &mut PgConnection, rows: &Rows<'_>) -> Result<PgQueryResult, Error> {
    const INSERT: &str = r#"
        INSERT INTO balance_changes (partition, "offset", event_id, kind, account_id, user_id, delta_fen,
            balance_after_fen, currency, account_version, order_id, refund_id, reference, source_topic,
            source_partition, source_offset, occurred_at)
        SELECT a, b, c::uuid, d, e, f, g, h, i, j, k, l, m, n, o, p, q::timestamptz
        FROM UNNEST($1::integer[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::text[],
            $14::text[], $15::integer[], $16::bigint[], $17::text[])
            AS new (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)"#;
    let each = || rows.changes.iter();
    let origins = || rows.changes.iter().map(|change| &change.origin);
    sqlx::query(INSERT)
        .bind(origins().map(|o| o.partition).bind_iter())
        .bind(origins().map(|o| o.offset).bind_iter())
        .bind(origins().map(|o| text(&o.event_id)).bind_iter())
        .bind(each().map(|c| c.kind).bind_iter())
        .bind(each().map(|c| c.account_id).bind_iter())
        .bind(origins().map(|o| o.user_id).bind_iter())
        .bind(each().map(|c| c.delta_fen).bind_iter())
        .bind(each().map(|c| c.balance_after_fen).bind_iter())
        .bind(each().map(|c| text(&c.currency)).bind_iter())
        .bind(each().map(|c| c.account_version).bind_iter())
        .bind(each().map(|c| c.order_id).bind_iter())
        .bind(each().map(|c| optional(&c.refund_id)).bind_iter())
        .bind(each().map(|c| optional(&c.reference)).bind_iter())
        .bind(origins().map(|o| text(&o.source.topic)).bind_iter())
        .bind(origins().map(|o| o.source.partition).bind_iter())
        .bind(origins().map(|o| o.source.offset).bind_iter())
        .bind(origins().map(|o| text(&o.occurred_at)).bind_iter())
        .execute(conn)
        .await
}

/// Inserts the orders decided in this batch; a second decision breaks `orders_pkey`.
pub(super) async fn insert_orders(
    conn: &mut PgConnection,
    new: &[&Order<'_>],
) -> Result<PgQueryResult, Error> {
    const INSERT: &str = r#"
        INSERT INTO orders (user_id, order_id, outcome, amount_fen, currency, reason, refunded_fen, cancelled,
            partition, "offset", decided_at, changed_at)
        SELECT a, b, CASE WHEN e IS NULL THEN 'DEBITED' ELSE 'DEBIT_FAILED' END, c, d, e, f, g, h, i,
            j::timestamptz, k::timestamptz
        FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[],
            $7::boolean[], $8::integer[], $9::bigint[], $10::text[], $11::text[])
            AS new (a, b, c, d, e, f, g, h, i, j, k)"#;
    let each = || new.iter();
    let decisions = || new.iter().map(|order| order.decision.as_ref().map(|(decision, _)| decision));
    sqlx::query(INSERT)
        .bind(each().map(|o| o.user_id).bind_iter())
        .bind(each().map(|o| o.order_id).bind_iter())
        .bind(decisions().map(|d| d.map(Decision::amount_fen)).bind_iter())
        .bind(decisions().map(|d| d.and_then(Decision::currency)).bind_iter())
        .bind(decisions().map(|d| d.and_then(Decision::reason)).bind_iter())
        .bind(each().map(|o| o.refunded_fen).bind_iter())
        .bind(each().map(|o| o.cancelled).bind_iter())
        .bind(each().map(|o| o.partition).bind_iter())
        .bind(each().map(|o| o.offset).bind_iter())
        .bind(each().map(|o| o.decision.as_ref().map(|(_, at)| text(at))).bind_iter())
        .bind(each().map(|o| text(&o.changed_at)).bind_iter())
        .execute(conn)
        .await
}

/// Adds refunds to orders that were debited before and whose refunds so far are what the events say.
pub(super) async fn update_orders(
    conn: &mut PgConnection,
    old: &[&Order<'_>],
) -> Result<PgQueryResult, Error> {
    const UPDATE: &str = r#"
        UPDATE orders SET refunded_fen = new.refunded, cancelled = orders.cancelled OR new.cancelled,
            partition = new.partition, "offset" = new.log_offset, changed_at = new.changed_at::timestamptz
        FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::integer[],
            $7::bigint[], $8::text[])
            AS new (user_id, order_id, refunded_before, refunded, cancelled, partition, log_offset, changed_at)
        WHERE orders.user_id = new.user_id AND orders.order_id = new.order_id
            AND orders.refunded_fen = new.refunded_before AND orders.outcome = 'DEBITED'"#;
    let each = || old.iter();
    sqlx::query(UPDATE)
        .bind(each().map(|o| o.user_id).bind_iter())
        .bind(each().map(|o| o.order_id).bind_iter())
        .bind(each().map(|o| o.refunded_before_fen).bind_iter())
        .bind(each().map(|o| o.refunded_fen).bind_iter())
        .bind(each().map(|o| o.cancelled).bind_iter())
        .bind(each().map(|o| o.partition).bind_iter())
        .bind(each().map(|o| o.offset).bind_iter())
        .bind(each().map(|o| text(&o.changed_at)).bind_iter())
        .execute(conn)
        .await
}

/// Appends refused commands.
pub(super) async fn insert_rejections(
    conn: &mut PgConnection,
    rows: &Rows<'_>,
) -> Result<PgQueryResult, Error> {
    const INSERT: &str = r#"
        INSERT INTO command_rejections (partition, "offset", event_id, user_id, command, reason, reference,
            refund_id, order_id, source_topic, source_partition, source_offset, occurred_at)
        SELECT a, b, c::uuid, d, e, f, g, h, i, j, k, l, m::timestamptz
        FROM UNNEST($1::integer[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::bigint[], $10::text[], $11::integer[], $12::bigint[], $13::text[])
            AS new (a, b, c, d, e, f, g, h, i, j, k, l, m)"#;
    let each = || rows.rejections.iter();
    let origins = || rows.rejections.iter().map(|rejection| -> &Origin<'_> { &rejection.origin });
    sqlx::query(INSERT)
        .bind(origins().map(|o| o.partition).bind_iter())
        .bind(origins().map(|o| o.offset).bind_iter())
        .bind(origins().map(|o| text(&o.event_id)).bind_iter())
        .bind(origins().map(|o| o.user_id).bind_iter())
        .bind(each().map(|r| text(&r.command)).bind_iter())
        .bind(each().map(|r| text(&r.reason)).bind_iter())
        .bind(each().map(|r| optional(&r.reference)).bind_iter())
        .bind(each().map(|r| optional(&r.refund_id)).bind_iter())
        .bind(each().map(|r| r.order_id).bind_iter())
        .bind(origins().map(|o| text(&o.source.topic)).bind_iter())
        .bind(origins().map(|o| o.source.partition).bind_iter())
        .bind(origins().map(|o| o.source.offset).bind_iter())
        .bind(origins().map(|o| text(&o.occurred_at)).bind_iter())
        .execute(conn)
        .await
}

/// Appends dead letters.
pub(super) async fn insert_letters(conn: &mut PgConnection, rows: &Rows<'_>) -> Result<PgQueryResult, Error> {
    const INSERT: &str = r#"
        INSERT INTO dead_letters (app, topic, partition, "offset", origin, code, exception, message, headers,
            key, value, attempts, redrive_count, first_failure_at, record_at, letter_partition, letter_offset)
        SELECT a, b, c, d, e, f, g, h, i::jsonb, j, k, l, m, n, to_timestamp(o / 1000.0), p, q
        FROM UNNEST($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::bytea[], $11::bytea[], $12::integer[], $13::integer[], $14::text[],
            $15::bigint[], $16::integer[], $17::bigint[])
            AS new (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)"#;
    let each = || rows.letters.iter();
    sqlx::query(INSERT)
        .bind(each().map(|l| &*l.app).bind_iter())
        .bind(each().map(|l| &*l.topic).bind_iter())
        .bind(each().map(|l| l.partition).bind_iter())
        .bind(each().map(|l| l.offset).bind_iter())
        .bind(each().map(|l| l.origin).bind_iter())
        .bind(each().map(|l| &*l.code).bind_iter())
        .bind(each().map(|l| l.exception.as_deref()).bind_iter())
        .bind(each().map(|l| &*l.message).bind_iter())
        .bind(each().map(|l| l.headers.as_str()).bind_iter())
        .bind(each().map(|l| l.key).bind_iter())
        .bind(each().map(|l| l.value).bind_iter())
        .bind(each().map(|l| l.attempts).bind_iter())
        .bind(each().map(|l| l.redrive_count).bind_iter())
        .bind(each().map(|l| l.first_failure_at.as_deref()).bind_iter())
        .bind(each().map(|l| l.timestamp_ms).bind_iter())
        .bind(each().map(|l| l.letter.map(|(partition, _)| partition)).bind_iter())
        .bind(each().map(|l| l.letter.map(|(_, offset)| offset)).bind_iter())
        .execute(conn)
        .await
}

impl<'a> Decision<'a> {
    fn amount_fen(&self) -> i64 {
        match self {
            Self::Debited { amount_fen, .. } | Self::Failed { amount_fen, .. } => *amount_fen,
        }
    }

    fn currency(&self) -> Option<&str> {
        match self {
            Self::Debited { currency, .. } => Some(text(currency)),
            Self::Failed { .. } => None,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Debited { .. } => None,
            Self::Failed { reason, .. } => Some(text(reason)),
        }
    }
}
