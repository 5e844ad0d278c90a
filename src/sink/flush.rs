//! Carries one batch into PostgreSQL, whatever it takes: repeat, resolve, skip, halve or stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgDatabaseError;

use super::batch::{Batch, Partition};
use super::class::{Class, class};
use super::failure::Failure;
use super::fold::fold;
use super::offsets::{self, Move, Stored};
use super::rows::{Rows, Table};
use super::shared::{now_ms, seconds};
use super::topic_ids::TopicId;
use super::transaction::{WriteError, write};
use super::writer::Writer;

/// How far another sink may be ahead before reading on and skipping is dearer than fetching anew, offsets.
const SKIP_OFFSETS_MAX: i64 = 50_000;

/// One partition's part in a batch.
struct Step {
    partition: Arc<Partition>,
    topic_id: TopicId,
    expected: i64,
    next: i64,
    oldest_ms: Option<i64>,
}

/// Writes the batch; returns when it is in PostgreSQL, or no longer this writer's business, or the sink is to
/// stop (then it will be read again).
///
/// # Errors
/// [`Failure`] when going on would guess.
pub(super) async fn flush(writer: &mut Writer, batch: Batch) -> Result<(), Failure> {
    let mut stack = vec![batch];
    // Whether the last COMMIT of the batch on top got no answer.
    let mut is_unknown = false;
    while let Some(mut batch) = stack.pop() {
        let steps = plan(writer, &mut batch)?;
        if steps.is_empty() {
            is_unknown = false;
            continue;
        }
        let outcome = attempt(writer, &batch, &steps, is_unknown).await;
        let was_unknown = std::mem::take(&mut is_unknown);
        match outcome {
            Ok(()) => applied(writer, &batch, &steps),
            Err(WriteError::Violated(violation)) => return Err(Failure::Invariant(violation.to_string())),
            Err(WriteError::Moved(index)) => {
                writer.shared.metrics.retries.inc();
                if let Some(step) = steps.get(index) {
                    match follow(writer, &step.partition, step.topic_id, step.expected).await {
                        Ok(()) => {}
                        Err(FollowError::Failed(failure)) => return Err(failure),
                        Err(FollowError::Database(error)) => back_off(writer, &error, None).await?,
                    }
                }
                stack.push(batch);
            }
            Err(WriteError::Unknown(error)) => {
                is_unknown = true;
                back_off(writer, &error, None).await?;
                stack.push(batch);
            }
            Err(WriteError::Refused(error, table)) => match class(&error, table) {
                Class::Data => stack.extend(isolate(writer, batch, &error)?),
                Class::Transient | Class::Money | Class::Stop => {
                    // Still unknown if the question itself could not be asked.
                    is_unknown = was_unknown;
                    back_off(writer, &error, table).await?;
                    stack.push(batch);
                }
            },
        }
        if !writer.shared.is_running() {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks the database where the partitions stand, so that a sink without work knows whether it could do any, and notices a
/// database that was restored from a backup.
///
/// # Errors
/// [`Failure`] when the database refuses for good, or holds what no going on fits.
pub(super) async fn look(writer: &mut Writer) -> Result<(), Failure> {
    let limit = writer.shared.settings.flush_timeout;
    let taken: Vec<_> =
        writer.taken.iter().map(|(partition, taken)| (Arc::clone(partition), *taken)).collect();
    let question = async {
        for (partition, taken) in &taken {
            follow(writer, partition, taken.topic_id, taken.expected).await?;
        }
        Ok(())
    };
    let timed_out = |_| Err(FollowError::Database(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    match tokio::time::timeout(limit, question).await.unwrap_or_else(timed_out) {
        Ok(()) => {
            writer.backoff.reset();
            writer.shared.relieve(&writer.name);
            Ok(())
        }
        Err(FollowError::Failed(failure)) => Err(failure),
        Err(FollowError::Database(error)) => back_off(writer, &error, None).await,
    }
}

/// Leaves out of the batch what is not to be written any more, and returns the steps of the rest.
fn plan(writer: &Writer, batch: &mut Batch) -> Result<Vec<Step>, Failure> {
    let mut steps: Vec<Step> = Vec::new();
    let mut skipped = 0;
    let mut gap = None;
    batch.runs.retain_mut(|run| {
        let Some(taken) = writer.taken.get(&run.partition).filter(|taken| taken.epoch == run.epoch) else {
            return false;
        };
        let known = steps.iter_mut().find(|step| step.partition == run.partition);
        let at = known.as_ref().map_or(taken.expected, |step| step.next);
        skipped += run.trim(at);
        if run.to <= at {
            return false;
        }
        if run.from != at {
            gap = Some(format!("{}: read from {}, expected {at}", run.partition, run.from));
        }
        let oldest_ms = run.records.first().and_then(|record| record.timestamp_ms);
        match known {
            Some(step) => {
                step.next = run.to;
                step.oldest_ms = step.oldest_ms.or(oldest_ms);
            }
            None => steps.push(Step {
                partition: Arc::clone(&run.partition),
                topic_id: taken.topic_id,
                expected: at,
                next: run.to,
                oldest_ms,
            }),
        }
        true
    });
    writer.shared.metrics.duplicates_skipped.inc_by(u64::try_from(skipped).unwrap_or(u64::MAX));
    gap.map_or(Ok(steps), |gap| Err(Failure::Bug(gap)))
}

/// One database transaction, within the time limit. With `is_unknown` it first asks whether the last one was
/// committed after all.
async fn attempt(
    writer: &mut Writer,
    batch: &Batch,
    steps: &[Step],
    is_unknown: bool,
) -> Result<(), WriteError> {
    let shared = Arc::clone(&writer.shared);
    for step in steps {
        shared.holds_since(&step.partition, step.oldest_ms);
    }
    let rows = fold(&shared.settings.app_id, batch).map_err(WriteError::Violated)?;
    let moves: Vec<Move<'_>> = steps
        .iter()
        .map(|step| Move {
            partition: &step.partition,
            topic_id: step.topic_id,
            expected: step.expected,
            next: step.next,
        })
        .collect();
    let started = Instant::now();
    let connection = &mut writer.connection;
    let work = async {
        let conn = connection.get().await.map_err(|error| WriteError::Refused(error, None))?;
        if is_unknown && is_committed(conn, &shared.sink_name, &moves).await? {
            return Ok(());
        }
        write(conn, &shared.sink_name, &moves, &rows).await
    };
    let timed_out = |_| Err(WriteError::Unknown(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
    let done = tokio::time::timeout(shared.settings.flush_timeout, work).await.unwrap_or_else(timed_out);
    if done.is_ok() {
        shared.metrics.flush_seconds.observe(started.elapsed().as_secs_f64());
        count(writer, batch, &rows);
    }
    done
}

/// Whether `sink_offsets` is where the transaction with the lost reply would have put it. If it is only partly
/// there, others wrote: the compare-and-swap finds that out.
async fn is_committed(
    conn: &mut sqlx::postgres::PgConnection,
    sink: &str,
    moves: &[Move<'_>],
) -> Result<bool, WriteError> {
    for to in moves {
        let stored = offsets::read(conn, sink, to.partition).await;
        let stored = stored.map_err(|error| WriteError::Refused(error, None))?;
        if stored != (Stored { topic_id: to.topic_id, next_offset: to.next }) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn count(writer: &Writer, batch: &Batch, rows: &Rows<'_>) {
    let shared = &writer.shared;
    for table in Table::ALL {
        shared.metrics.count_rows(table, rows.count(table));
    }
    let records = batch.rows();
    if records > 0 {
        shared.metrics.batch_rows.observe(f64::from(u32::try_from(records).unwrap_or(u32::MAX)));
    }
    if let Some(latency) = &shared.settings.e2e_latency {
        let now = now_ms();
        let records = batch.runs.iter().flat_map(|run| &run.records);
        for timestamp in records.filter_map(|record| record.timestamp_ms) {
            latency.observe(seconds(now.saturating_sub(timestamp).max(0)));
        }
    }
}

fn applied(writer: &mut Writer, batch: &Batch, steps: &[Step]) {
    for step in steps {
        if let Some(taken) = writer.taken.get_mut(&step.partition) {
            taken.expected = step.next;
        }
        writer.shared.at(&step.partition, step.topic_id, step.next);
    }
    if let Some(refused) = &batch.refused {
        let at = steps.first().map(|step| format!("{}@{}", step.partition, step.expected));
        writer.shared.note(format!("dead-lettered {}: {refused}", at.unwrap_or_default()));
    }
    writer.backoff.reset();
    writer.shared.relieve(&writer.name);
}

enum FollowError {
    Failed(Failure),
    Database(sqlx::Error),
}

/// Goes where the partition's row is, if that is not where this sink put it: another sink wrote, or the database was
/// restored from a backup.
async fn follow(
    writer: &mut Writer,
    partition: &Arc<Partition>,
    topic_id: TopicId,
    was: i64,
) -> Result<(), FollowError> {
    let sink = writer.shared.sink_name.clone();
    let conn = writer.connection.get().await.map_err(FollowError::Database)?;
    let stored = match offsets::read(conn, &sink, partition).await {
        Ok(stored) => stored,
        Err(sqlx::Error::RowNotFound) => {
            let (topic, partition) = (partition.topic.clone(), partition.number);
            return Err(FollowError::Failed(Failure::RowDeleted { topic, partition }));
        }
        Err(error) => return Err(FollowError::Database(error)),
    };
    let is = stored.next_offset;
    if stored.topic_id != topic_id {
        return Err(FollowError::Failed(Failure::TopicRecreated {
            topic: partition.topic.clone(),
            partition: partition.number,
            next_offset: is,
            stored: stored.topic_id,
            actual: topic_id,
        }));
    }
    if is == was {
        return Ok(());
    }
    let cause = if is < was { "restored from a backup" } else { "another sink wrote" };
    tracing::warn!(%partition, was, is, cause, "the database stands elsewhere: following");
    if (was..=was.saturating_add(SKIP_OFFSETS_MAX)).contains(&is) {
        if let Some(taken) = writer.taken.get_mut(partition) {
            taken.expected = is;
        }
        writer.shared.at(partition, topic_id, is);
    } else {
        writer.read_from(partition, is);
    }
    Ok(())
}

/// Waits before the next attempt, or stops when another cannot help.
async fn back_off(writer: &mut Writer, error: &sqlx::Error, table: Option<Table>) -> Result<(), Failure> {
    writer.connection.discard();
    match class(error, table) {
        Class::Money => return Err(Failure::Invariant(describe(error, table))),
        Class::Stop | Class::Data => return Err(Failure::Database(describe(error, table))),
        Class::Transient => {}
    }
    writer.shared.metrics.retries.inc();
    let pause: Duration = writer.backoff.pause();
    writer.shared.trouble(&writer.name, writer.backoff.attempts(), &describe(error, table));
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        _ = writer.phases.changed() => {}
    }
    Ok(())
}

/// What becomes of a batch with a row that the database cannot store: its halves, the first on top; or, when
/// only the offender is left, the offender as a dead letter.
fn isolate(writer: &mut Writer, mut batch: Batch, error: &sqlx::Error) -> Result<Vec<Batch>, Failure> {
    writer.connection.discard();
    writer.shared.metrics.retries.inc();
    match batch.rows() {
        1 if batch.refused.is_none() => {
            batch.refused = Some(describe(error, None));
            Ok(vec![batch])
        }
        0 | 1 => Err(Failure::Database(describe(error, None))),
        _ => {
            let (first, second) = batch.halves();
            Ok(vec![second, first])
        }
    }
}

/// The error with what PostgreSQL adds in its detail, which names the row.
fn describe(error: &sqlx::Error, table: Option<Table>) -> String {
    let table = table.map(|table| format!(" (table {})", table.name())).unwrap_or_default();
    let database = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
    match database {
        Some(database) => {
            let detail = database.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{} [{}]{table}{detail}", database.message(), database.code())
        }
        None => format!("{error}{table}"),
    }
}
