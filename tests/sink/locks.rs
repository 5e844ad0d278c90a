//! Another session holds a lock on rows that the sink must change.

use std::time::{Duration, Instant};

use millpond::sink::State;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::cluster::{End, Writer};
use super::expected::assert_exact;
use super::generator::Generator;
use super::rig::{Rig, run};
use super::support::keep_figure;

/// How long the lock is held, seconds, unless `MILLPOND_TEST_LOCK_S` says otherwise; above the sink's `lock_timeout` of 5.
const LOCK_S: u64 = 8;

fn lock_time() -> Duration {
    let asked = std::env::var("MILLPOND_TEST_LOCK_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(LOCK_S))
}

/// Holds a lock on all rows of `table` while records come in: the sink says so, waits, and is exact.
async fn locked(table: &str) {
    let rig = Rig::new(&format!("lock-{}", table.replace('_', "-")), 2).await;
    let writer = Writer::new(&rig.accounts);
    let mut generator = Generator::new(41, 20, 2);
    writer.write(&generator.events(300), End::Commit);
    let sink = rig.sink();
    sink.drained(&rig).await;
    let mut holder: PgConnection = rig.database.connect().await;
    let mut lock = holder.begin().await.expect("begin");
    let rows = format!("SELECT count(*) FROM (SELECT 1 FROM {table} FOR UPDATE) AS locked");
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&mut *lock).await.expect("lock");
    assert!(rows > 0, "void: no rows are locked");
    let (begun, time) = (Instant::now(), lock_time());
    let written = "SELECT coalesce(sum(next_offset), 0)::text FROM sink_offsets";
    let before = rig.database.rows(written).await;
    writer.write(&generator.events(300), End::Commit);
    let is_said = |status: &millpond::sink::Status| {
        let said = status.last_error.as_deref().unwrap_or_default();
        matches!(status.state, State::Retrying { .. }) && said.contains("lock timeout")
    };
    let status = sink.wait("the lock is said", is_said).await;
    assert!(!status.is_ready(), "{status:#?}");
    let said = begun.elapsed();
    while begun.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!matches!(sink.handle.status().state, State::Stopped(_)), "it stopped");
    }
    // Balance changes of accounts that are new may be in, if they share no batch with a locked one: never of others.
    let during = rig.database.rows(written).await;
    assert_eq!(during, before, "void: the lock kept nothing waiting");
    assert!(sink.metric("millpond_sink_lag_seconds") >= time.as_secs_f64() / 2.0, "the lag does not say so");
    lock.rollback().await.expect("rollback");
    let freed = Instant::now();
    sink.drained(&rig).await;
    assert_exact(&rig.accounts, 2, &rig.database).await;
    let (retries, recovery) = (sink.metric("millpond_sink_retries_total"), freed.elapsed());
    let line = format!(
        "held {time:?}, said after {said:.1?}, {retries} retries, drained {recovery:.1?} after its end"
    );
    keep_figure(&format!("lock-{table}"), &line);
    sink.stop().await;
}

#[test]
fn a_lock_on_accounts_is_waited_out_and_said() {
    run(locked("accounts"));
}

#[test]
fn a_lock_on_sink_offsets_is_waited_out_and_said() {
    run(locked("sink_offsets"));
}
