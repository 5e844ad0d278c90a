//! PostgreSQL goes away and comes back; replies to COMMIT get lost. Rows stay exact, nothing stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millpond::sink::{State, Target};

use super::cluster::{End, Writer};
use super::database::server;
use super::expected::assert_exact;
use super::generator::Generator;
use super::own_postgres::{OwnPostgres, StopMode};
use super::proxy::Proxy;
use super::rig::{Rig, run};

#[test]
fn postgres_stopped_and_started_under_load_loses_and_repeats_nothing() {
    run(async {
        let mut postgres = OwnPostgres::start();
        let rig = Rig::on(&postgres.url(), "outage", 2).await;
        let mut settings = rig.settings();
        settings.batch_rows = 100;
        let sink = rig.sink_with(settings);
        let topic = rig.accounts.clone();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let load = std::thread::spawn(move || {
            let writer = Writer::new(&topic);
            let mut generator = Generator::new(77, 100, 2);
            while !is_over.load(Ordering::SeqCst) {
                writer.write(&generator.events(500), End::Commit);
            }
        });
        for mode in [StopMode::Immediate, StopMode::Fast, StopMode::Immediate] {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            postgres.stop(mode);
            let is_retrying = |state: &State| matches!(state, State::Retrying { .. });
            let status = sink.wait("retrying", |status| is_retrying(&status.state)).await;
            assert!(!status.is_ready() && status.last_error.is_some());
            tokio::time::sleep(Duration::from_millis(700)).await;
            postgres.restart();
            sink.wait("recovery", |status| status.state == State::Running).await;
        }
        over.store(true, Ordering::SeqCst);
        load.join().expect("load");
        sink.drained(&rig).await;
        assert!(sink.metric("millpond_sink_retries_total") >= 3.0);
        assert_exact(&rig.accounts, 2, &rig.database).await;
        sink.stop().await;
    });
}

#[test]
fn what_is_taken_away_while_the_database_is_down_is_no_trouble_any_more() {
    run(async {
        let mut postgres = OwnPostgres::start();
        let rig = Rig::on(&postgres.url(), "taken-away", 2).await;
        let sink = rig.sink();
        sink.drained(&rig).await;
        sink.handle.set_target(&Target::new());
        sink.wait("nothing is taken", |status| status.partitions.is_empty()).await;
        postgres.stop(StopMode::Immediate);
        sink.handle.set_target(&rig.target());
        let is_retrying = |state: &State| matches!(state, State::Retrying { .. });
        sink.wait("retrying", |status| is_retrying(&status.state)).await;
        // Another process takes them.
        sink.handle.set_target(&Target::new());
        sink.wait("nothing is retried", |status| status.state == State::Running).await;
        postgres.restart();
        sink.handle.set_target(&rig.target());
        sink.drained(&rig).await;
        sink.stop().await;
    });
}

#[test]
fn a_lost_reply_to_commit_is_resolved_by_asking() {
    run(async {
        let rig = Rig::new("unknown", 2).await;
        let proxy = Proxy::start(&server()).await;
        let mut settings = rig.settings();
        settings.postgres_url = proxy.url(&rig.database.url);
        settings.batch_rows = 100;
        let sink = rig.sink_with(settings);
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(13, 30, 2);
        for _ in 0..40 {
            writer.write(&generator.events(100), End::Commit);
        }
        sink.drained(&rig).await;
        let (lost, never_sent) = proxy.cut();
        assert!(lost >= 5 && never_sent >= 1, "{lost} replies and {never_sent} commits were lost");
        let rows = assert_exact(&rig.accounts, 2, &rig.database).await;
        // A transaction that was not committed is never counted.
        let counted = sink.metric_of("millpond_sink_rows_total", "balance_changes");
        assert!(counted <= f64::from(u32::try_from(rows).unwrap()), "{counted} rows counted of {rows}");
        sink.stop().await;
    });
}

#[test]
fn an_idle_sink_notices_that_the_database_is_gone() {
    run(async {
        let mut postgres = OwnPostgres::start();
        let rig = Rig::on(&postgres.url(), "idle", 1).await;
        let sink = rig.sink();
        sink.wait("taken", |status| status.is_ready()).await;
        postgres.stop(StopMode::Fast);
        sink.wait("retrying", |status| matches!(status.state, State::Retrying { .. })).await;
        postgres.restart();
        sink.wait("recovery", |status| status.is_ready()).await;
        sink.stop().await;
    });
}

#[test]
fn a_shutdown_does_not_wait_for_a_database_that_is_down() {
    run(async {
        let mut postgres = OwnPostgres::start();
        let rig = Rig::on(&postgres.url(), "down", 1).await;
        let sink = rig.sink();
        sink.wait("taken", |status| status.is_ready()).await;
        postgres.stop(StopMode::Immediate);
        Writer::new(&rig.accounts).write(&Generator::new(1, 5, 1).events(10), End::Commit);
        sink.wait("retrying", |status| matches!(status.state, State::Retrying { .. })).await;
        sink.handle.shutdown(Duration::from_secs(5)).await.expect("in time");
    });
}
