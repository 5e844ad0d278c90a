//! Every row exactly once: with aborted transactions, restarts, and two sinks that both believe to own all.

use std::time::Duration;

use millpond::sink::{Failure, State};
use millpond_mutants::Mutant;

use super::cluster::{End, Writer, end, group_offset};
use super::expected::assert_exact;
use super::generator::Generator;
use super::rig::{PATIENCE, Rig, run, run_wrong};

#[test]
fn all_event_types_are_exact_and_lag_reads_zero_behind_aborted_transactions() {
    run(async {
        let rig = Rig::new("exact", 3).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(11, 40, 3);
        let sink = rig.sink();
        for round in 0..12 {
            if round % 3 == 1 {
                writer.write(&generator.clone().events(200), End::Abort);
            }
            writer.write(&generator.events(300), End::Commit);
        }
        // The last thing in the log is aborted: only markers lie behind the last row.
        writer.write(&generator.clone().events(50), End::Abort);
        sink.drained(&rig).await;
        assert!(assert_exact(&rig.accounts, 3, &rig.database).await > 1000);
        for partition in 0..3 {
            let stored = format!(
                "SELECT next_offset::text FROM sink_offsets WHERE topic = '{}' AND partition = {partition}",
                rig.accounts
            );
            assert_eq!(rig.database.rows(&stored).await, [end(&rig.accounts, partition).to_string()]);
        }
        assert!(sink.metric("millpond_sink_lag_offsets").abs() < f64::EPSILON);
        assert!(sink.metric("millpond_sink_lag_seconds").abs() < f64::EPSILON);
        assert!(sink.metric("millpond_sink_rows_total") > 3600.0);
        let refused =
            rig.database.run("UPDATE balance_changes SET delta_fen = 1").await.expect_err("append-only");
        assert!(refused.contains("append-only"), "{refused}");
        rig.database.run("DELETE FROM balance_changes").await.expect_err("append-only");
        sink.stop().await;
        // For dashboards: published at the latest when the sink stops.
        let group = format!("{}.sink", rig.app);
        assert_eq!(group_offset(&group, &rig.accounts, 0), end(&rig.accounts, 0));
    });
}

#[test]
fn rows_are_exact_when_the_sink_restarts_at_every_batch() {
    run(async {
        let rig = Rig::new("restart", 2).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(5, 10, 2);
        for _ in 0..4 {
            writer.write(&generator.events(150), End::Commit);
            writer.write(&generator.clone().events(20), End::Abort);
        }
        let mut starts = 0;
        let written = async |rig: &Rig| {
            rig.database.rows("SELECT coalesce(sum(next_offset), 0)::text FROM sink_offsets").await
        };
        loop {
            let before = written(&rig).await;
            let mut settings = rig.settings();
            settings.batch_rows = 25;
            let sink = rig.sink_with(settings);
            starts += 1;
            let started = std::time::Instant::now();
            while written(&rig).await == before && !sink.handle.status().is_drained() {
                assert!(started.elapsed() < PATIENCE, "no progress: {:#?}", sink.handle.status());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let is_drained = sink.handle.status().is_drained();
            if starts % 2 == 0 {
                // As if it were killed, as far as that goes within a process.
                drop(sink);
            } else {
                sink.stop().await;
            }
            if is_drained {
                break;
            }
        }
        assert!(starts >= 5, "only {starts} starts: the batches were too large to mean anything");
        assert_exact(&rig.accounts, 2, &rig.database).await;
    });
}

#[test]
fn two_sinks_on_the_same_partitions_write_each_row_once() {
    run(async {
        let rig = Rig::new("fight", 2).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(7, 50, 2);
        writer.write(&generator.events(2000), End::Commit);
        let mut settings = rig.settings();
        settings.batch_rows = 50;
        let (one, other) = (rig.sink_with(settings.clone()), rig.sink_with(settings));
        for _ in 0..15 {
            writer.write(&generator.events(400), End::Commit);
        }
        one.drained(&rig).await;
        other.drained(&rig).await;
        let rows = assert_exact(&rig.accounts, 2, &rig.database).await;
        assert!(rows > 2000);
        let (a, b) = (one.metric("millpond_sink_rows_total"), other.metric("millpond_sink_rows_total"));
        assert!(a > 0.0 && b > 0.0, "no fight: {a} and {b} rows");
        let skipped = one.metric("millpond_sink_duplicates_skipped_total")
            + other.metric("millpond_sink_duplicates_skipped_total");
        assert!(skipped > 0.0, "neither was ever overtaken");
        one.stop().await;
        other.stop().await;
    });
}

#[test]
fn control_two_sinks_that_do_not_compare_are_noticed_by_the_rows_they_write() {
    run_wrong(Mutant::SinkWithoutSwap, async {
        let rig = Rig::new("no-swap", 2).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(7, 50, 2);
        writer.write(&generator.events(1000), End::Commit);
        let mut settings = rig.settings();
        settings.batch_rows = 50;
        let (one, other) = (rig.sink_with(settings.clone()), rig.sink_with(settings));
        let begun = std::time::Instant::now();
        let failure = loop {
            let stopped = [&one, &other].into_iter().find_map(|sink| match sink.handle.status().state {
                State::Stopped(failure) => Some(failure),
                _ => None,
            });
            if let Some(failure) = stopped {
                break failure;
            }
            assert!(begun.elapsed() < PATIENCE, "nothing notices");
            writer.write(&generator.events(200), End::Commit);
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        // The second line of defence: append-only rows have a key, and versions of accounts have no gaps.
        assert!(matches!(failure, Failure::Invariant(_)), "{failure}");
        let text = failure.to_string();
        assert!(text.contains("duplicate key") || text.contains("stored version"), "{text}");
    });
}

#[test]
fn a_database_restored_from_a_backup_is_filled_again_by_the_running_sink() {
    run(async {
        let rig = Rig::new("backup", 2).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(29, 30, 2);
        writer.write(&generator.events(500), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        for round in 0..3 {
            // A backup from before the first record.
            let restore = "BEGIN; ALTER TABLE balance_changes DISABLE TRIGGER ALL; DELETE FROM balance_changes; \
                ALTER TABLE balance_changes ENABLE TRIGGER ALL; DELETE FROM accounts; DELETE FROM orders; \
                DELETE FROM command_rejections; UPDATE sink_offsets SET next_offset = 0; COMMIT";
            rig.database.script(restore).await;
            writer.write(&generator.events(100), End::Commit);
            sink.drained(&rig).await;
            assert_exact(&rig.accounts, 2, &rig.database).await;
            let status = sink.handle.status();
            assert!(status.is_ready(), "round {round}: {status:#?}");
        }
        sink.stop().await;
    });
}

#[test]
fn partitions_move_between_sinks_under_load() {
    run(async {
        let rig = Rig::new("move", 4).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(3, 60, 4);
        let (one, other) = (rig.sink(), rig.sink());
        for round in 0..20 {
            let mut mine = rig.target();
            let mut theirs = rig.target();
            for numbers in mine.values_mut() {
                numbers.retain(|number| (number + round) % 2 == 0);
            }
            for numbers in theirs.values_mut() {
                numbers.retain(|number| (number + round) % 2 == 1);
            }
            one.handle.set_target(&mine);
            other.handle.set_target(&theirs);
            assert_eq!(one.handle.status().partitions.len(), 4);
            // Away and back at once: nothing is forgotten.
            one.handle.set_target(&millpond::sink::Target::new());
            one.handle.set_target(&mine);
            writer.write(&generator.events(200), End::Commit);
        }
        one.handle.set_target(&rig.target());
        other.handle.set_target(&millpond::sink::Target::new());
        one.drained(&rig).await;
        assert_exact(&rig.accounts, 4, &rig.database).await;
        assert!(other.handle.status().partitions.is_empty());
        one.stop().await;
        other.stop().await;
    });
}
