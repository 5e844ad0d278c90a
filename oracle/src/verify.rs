//! The whole judgement, in the order in which a running system must be read.

use crate::check::{Ends, POSTGRES, SINK, check_postgres, check_sink};
use crate::error::OracleError;
use crate::gather::{Records, State, open_stores, trimmed};
use crate::judgement::judge;
use crate::postgres::Session;
use crate::report::{Check, Report};
use crate::target::Target;

/// Judges a running or stopped system and reports every invariant.
///
/// `progress` is told what is being read. What the system does after a task's last marker in the changelog is
/// not judged, so a running system can be verified too; what cannot be checked says so and does not count as
/// passed.
///
/// # Errors
/// When Kafka, a RocksDB or PostgreSQL cannot be read. A difference is no error: it is in the report.
pub async fn verify(target: &Target, progress: &mut dyn FnMut(&str)) -> Result<Report, OracleError> {
    progress("opening RocksDB");
    let stores = on_thread(target, open_stores).await?;
    let mut session = match &target.postgres_url {
        Some(url) => {
            progress("opening a snapshot of PostgreSQL");
            Some(Session::open(url, &target.app_id).await?)
        }
        None => None,
    };
    progress("reading changelog and committed offsets");
    let state = on_thread(target, |target| State::read(target, stores)).await?;
    progress("reading outputs, dead letters and inputs");
    let (mut state, mut records) = on_thread(target, |target| {
        let records = Records::read(target, &state)?;
        Ok((state, records))
    })
    .await?;

    let mut checks = Vec::new();
    if let (Some(session), Some(url)) = (&mut session, &target.postgres_url) {
        progress("comparing PostgreSQL");
        checks = database_checks(target, url, session, &mut records).await?;
    }
    if let Some(session) = session {
        session.close().await?;
    }
    progress("folding the input");
    let report = on_thread(target, move |target| {
        let (mut report, database) = (judge(target, &mut state, &mut records), checks);
        report.checks.extend(database);
        if target.postgres_url.is_none() {
            let why = "no PostgreSQL was given";
            report.checks.extend([POSTGRES.not_checkable(why), SINK.not_checkable(why)]);
        }
        Ok(report)
    });
    report.await
}

/// Runs blocking work on a thread of its own.
async fn on_thread<T: Send + 'static>(
    target: &Target,
    work: impl FnOnce(&Target) -> Result<T, OracleError> + Send + 'static,
) -> Result<T, OracleError> {
    let target = target.clone();
    tokio::task::spawn_blocking(move || work(&target)).await?
}

async fn database_checks(
    target: &Target,
    url: &str,
    session: &mut Session,
    records: &mut Records,
) -> Result<Vec<Check>, OracleError> {
    let Records { outputs, letters, account_span, letter_span, .. } = records;
    let tables = match account_span.trimmed() {
        Some(_) => POSTGRES.not_checkable(&trimmed([&*account_span])),
        None => check_postgres(target, session, &mut outputs.records).await?,
    };
    let ends = [
        Ends { span: account_span, data_ends: &outputs.data_ends },
        Ends { span: letter_span, data_ends: &letters.data_ends },
    ];
    let sink = match letter_span.trimmed() {
        Some(_) => SINK.not_checkable(&trimmed([&*letter_span])),
        None => check_sink(target, url, session, &ends, letters).await?,
    };
    Ok(vec![tables, sink])
}
