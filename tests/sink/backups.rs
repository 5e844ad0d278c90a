//! The database is replaced by an older copy of itself, made and restored by PostgreSQL's own programs.

use std::path::PathBuf;
use std::process::Command;

use millpond::sink::Failure;

use super::cluster::{End, Writer, trim};
use super::expected::assert_exact;
use super::generator::Generator;
use super::rig::{Rig, run};

fn program(name: &str) -> Command {
    let bin = std::env::var("MILLPOND_PG_BIN").expect("MILLPOND_PG_BIN, as `./dev test` sets it");
    Command::new(PathBuf::from(bin).join(name))
}

fn done(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("command");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A copy of a rig's database.
struct Backup(tempfile::NamedTempFile);

impl Backup {
    fn of(rig: &Rig) -> Self {
        let file = tempfile::NamedTempFile::new().expect("file");
        done(
            program("pg_dump")
                .args(["--clean", "--if-exists", "-d", &rig.database.url, "-f"])
                .arg(file.path()),
        );
        Self(file)
    }

    /// Puts it back, as one transaction.
    fn restore(&self, rig: &Rig) {
        let args = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", &rig.database.url, "-f"];
        done(program("psql").args(args).arg(self.0.path()));
    }
}

#[test]
fn a_backup_from_half_way_is_filled_up_by_the_running_sink_even_without_new_records() {
    run(async {
        let rig = Rig::new("halfway", 2).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(61, 40, 2);
        writer.write(&generator.events(600), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        let backup = Backup::of(&rig);
        writer.write(&generator.events(600), End::Commit);
        sink.drained(&rig).await;
        let full = rig.database.rows("SELECT count(*)::text FROM balance_changes").await;
        for round in 0..2 {
            backup.restore(&rig);
            if round == 0 {
                writer.write(&generator.events(100), End::Commit);
            }
            // In the second round nothing comes: the sink finds out by itself, within seconds.
            let begun = std::time::Instant::now();
            while rig.database.rows("SELECT count(*)::text FROM balance_changes").await[0]
                .parse::<u64>()
                .unwrap()
                < full[0].parse().unwrap()
            {
                assert!(begun.elapsed().as_secs() < 30, "round {round}: {:#?}", sink.handle.status());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            sink.drained(&rig).await;
            assert_exact(&rig.accounts, 2, &rig.database).await;
            assert!(sink.handle.status().is_ready());
        }
        sink.stop().await;
    });
}

#[test]
fn a_backup_from_half_way_is_filled_up_after_a_restart() {
    run(async {
        let rig = Rig::new("restored", 2).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(62, 40, 2);
        writer.write(&generator.events(600), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        let backup = Backup::of(&rig);
        writer.write(&generator.events(600), End::Commit);
        sink.drained(&rig).await;
        sink.stop().await;
        backup.restore(&rig);
        writer.write(&generator.events(100), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        assert_exact(&rig.accounts, 2, &rig.database).await;
        sink.stop().await;
    });
}

#[test]
fn a_backup_from_before_the_topics_beginning_stops_the_sink_with_the_cure() {
    run(async {
        let rig = Rig::new("tooold", 1).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(63, 10, 1);
        writer.write(&generator.events(50), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        let backup = Backup::of(&rig);
        writer.write(&generator.events(200), End::Commit);
        sink.drained(&rig).await;
        // Retention has deleted what the backup lacks.
        trim(&rig.accounts, 0, 150).await;
        backup.restore(&rig);
        let restored = rig
            .database
            .rows("SELECT next_offset::text FROM sink_offsets WHERE topic LIKE '%account%'")
            .await;
        let next: i64 = restored[0].parse().unwrap();
        for sink in [sink, rig.sink()] {
            let failure = sink.failure().await;
            let is_it = matches!(&failure, Failure::RecordsLost { next_offset, log_start: 150, .. } if *next_offset == next);
            assert!(is_it, "{failure}");
            assert!(
                failure.to_string().contains("restore a backup of PostgreSQL that is further on"),
                "{failure}"
            );
        }
        let now = rig
            .database
            .rows("SELECT next_offset::text FROM sink_offsets WHERE topic LIKE '%account%'")
            .await;
        assert_eq!(now, restored, "something was written past the gap");
    });
}
