//! PostgreSQL has no space left: for its tables, or for anything at all.

use std::time::Duration;

use millpond::sink::{State, Status};

use super::cluster::{End, Writer};
use super::expected::assert_exact;
use super::generator::Generator;
use super::mount::Mount;
use super::own_postgres::OwnPostgres;
use super::rig::{Rig, Running, run};
use super::support::keep_figure;

/// Enough to need more space than is left, KiB.
const LEFT: u64 = 256;
const EVENTS: usize = 8000;

fn retries_for(text: &'static str) -> impl Fn(&Status) -> bool {
    move |status: &Status| {
        let said = status.last_error.as_deref().unwrap_or_default();
        matches!(status.state, State::Retrying { .. }) && said.contains(text)
    }
}

/// Waits until the sink has tried a few times more, which it does for ever.
async fn tries_on(sink: &Running) -> u32 {
    let attempts = |status: &Status| match status.state {
        State::Retrying { attempts, .. } => attempts,
        _ => 0,
    };
    let before = attempts(&sink.handle.status());
    let status = sink.wait("further attempts", |status| attempts(status) >= before + 2).await;
    assert!(!status.is_ready(), "{status:#?}");
    attempts(&status)
}

#[test]
fn a_full_tablespace_is_retried_until_there_is_room() {
    run(async {
        let postgres = OwnPostgres::start();
        let place = postgres.beside("tables");
        let Some(disk) = Mount::tmpfs("postgres-tablespace-full", &place, 40) else { return };
        postgres.give(&place);
        let rig = Rig::on(&postgres.url(), "tablespace", 2).await;
        let name = rig.app.replace(['-', '.'], "_");
        let server = super::database::Database { url: postgres.url() };
        let create = format!("CREATE TABLESPACE small LOCATION '{}'", place.display());
        server.run(&create).await.expect("tablespace");
        let mut moved = Err(String::new());
        for _ in 0..50 {
            // Connections of the rig may be a moment from their end.
            moved = server.run(&format!("ALTER DATABASE {name} SET TABLESPACE small")).await;
            if moved.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        moved.expect("tables on the small disk");
        let sink = rig.sink();
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(51, 200, 2);
        writer.write(&generator.events(500), End::Commit);
        sink.drained(&rig).await;
        disk.fill(LEFT);
        writer.write(&generator.events(EVENTS), End::Commit);
        sink.wait("no space", retries_for("[53100]")).await;
        let attempts = tries_on(&sink).await;
        disk.grow(200);
        sink.drained(&rig).await;
        assert_exact(&rig.accounts, 2, &rig.database).await;
        keep_figure("postgres-tablespace-full", &format!("exact after {attempts} attempts without space"));
        sink.stop().await;
    });
}

#[test]
fn a_server_that_cannot_write_its_log_any_more_is_waited_for() {
    run(async {
        let Some((postgres, disk)) = OwnPostgres::start_on_disk("postgres-disk-full", 120) else { return };
        let rig = Rig::on(&postgres.url(), "walfull", 2).await;
        let sink = rig.sink();
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(52, 200, 2);
        writer.write(&generator.events(500), End::Commit);
        sink.drained(&rig).await;
        disk.fill(LEFT);
        writer.write(&generator.events(EVENTS), End::Commit);
        let retries = |status: &Status| matches!(status.state, State::Retrying { .. });
        sink.wait("no space", retries).await;
        let attempts = tries_on(&sink).await;
        assert!(postgres.log().contains("No space left on device"), "void:\n{}", postgres.log());
        let lived = postgres.is_alive();
        disk.grow(300);
        if !postgres.is_alive() {
            postgres.restart_after_kill();
        }
        sink.drained(&rig).await;
        assert_exact(&rig.accounts, 2, &rig.database).await;
        let line = format!(
            "exact after {attempts} attempts; the server {}",
            if lived { "lived" } else { "had ended" }
        );
        keep_figure("postgres-disk-full", &line);
        sink.stop().await;
        drop(postgres);
        drop(disk);
    });
}
