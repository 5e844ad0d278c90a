//! The whole program with a PostgreSQL that is killed under it, or that contradicts it; judged by the oracle.

use std::process::Command;
use std::time::Duration;

use super::own_postgres::{OwnPostgres, kill};
use super::support::{Node, World, group_lag, keep_figure, wait_drained, wait_until};

/// Longest wait for what takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rounds of killing: a backend of the sink, then the postmaster.
const ROUNDS: usize = 3;

fn world(name: &str, postgres: &OwnPostgres) -> World {
    let url = postgres.url();
    World::with(name, &[("MILLPOND_SINK__POSTGRES__URL", url.as_str()), ("MILLPOND_SINK__BATCH_ROWS", "200")])
}

fn sql(postgres: &OwnPostgres, statement: &str) -> String {
    let args = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &postgres.url(), "-c", statement];
    let output = Command::new("psql").args(args).output().expect("psql");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn is_ready(node: &Node) -> bool {
    node.get("/readyz").is_some_and(|(code, _)| code == 200)
}

/// Waits until the sink has written something that it had not yet.
fn wait_progress(node: &mut Node) {
    let written = node.metric("millpond_sink_next_offset");
    wait_until("the sink goes on", PATIENCE, || {
        assert!(node.is_alive(), "the process ended:\n{}", node.log());
        node.metric("millpond_sink_next_offset") > written
    });
}

#[test]
fn kill_9_of_a_backend_and_of_the_server_under_load_leaves_everything_exact() {
    let postgres = OwnPostgres::start();
    let world = world("pgkill", &postgres);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(PATIENCE);
    let mut load =
        world.start_load(&["--users", "500", "--orders", "2000000", "--rate", "1000", "--seed", "71"]);
    let mut said = 0;
    for round in 1..=ROUNDS {
        wait_progress(&mut node);
        let backend = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%.sink' LIMIT 1";
        kill(&sql(&postgres, backend));
        let crashes = || postgres.log().matches("was terminated by signal 9").count();
        wait_until("the server notices the backend's end", PATIENCE, || crashes() >= round);
        wait_progress(&mut node);
        postgres.kill();
        wait_until("the sink says that the database is gone", PATIENCE, || !is_ready(&node));
        let (_, text) = node.get("/readyz?verbose").unwrap_or_default();
        said += usize::from(text.contains("sink") || text.contains("Postgre"));
        postgres.restart_after_kill();
        wait_until("ready again", PATIENCE, || is_ready(&node));
    }
    wait_progress(&mut node);
    let retries = node.metric("millpond_sink_retries_total");
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let least = (2 * ROUNDS) as f64;
    assert!(retries >= least, "void: only {retries} retries");
    assert_eq!(said, ROUNDS, "/readyz does not say what is missing");
    let _ = load.kill();
    let _ = load.wait();
    wait_until("the input is processed", PATIENCE, || group_lag(&world) == 0);
    wait_drained(&world, PATIENCE);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
    keep_figure(
        "postgres-kills",
        &format!("{ROUNDS} backends and {ROUNDS} servers killed, {retries} retries"),
    );
}

#[test]
fn a_contradiction_about_money_ends_the_process_and_names_the_row() {
    let postgres = OwnPostgres::start();
    let world = world("pgmoney", &postgres);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(PATIENCE);
    world.load(&[
        "--users", "5", "--orders", "200", "--rate", "0", "--seed", "72", "--others", "0", "--bad", "0",
    ]);
    wait_until("the input is processed", PATIENCE, || group_lag(&world) == 0);
    wait_drained(&world, PATIENCE);
    let tampered = "UPDATE accounts SET balance_fen = balance_fen + 1, total_credited_fen = total_credited_fen + 1 \
        WHERE account_id = (SELECT min(account_id) FROM accounts) RETURNING account_id";
    let account = sql(&postgres, tampered);
    let changes = format!("SELECT count(*) FROM balance_changes WHERE account_id = {account}");
    let before = sql(&postgres, &changes);
    world.load(&[
        "--users", "5", "--orders", "200", "--rate", "0", "--seed", "73", "--others", "0", "--bad", "0",
    ]);
    let status = node.wait_end(PATIENCE);
    let log = node.log();
    assert_eq!(status.code(), Some(1), "{log}");
    let named = log.lines().any(|line| {
        line.contains("money invariant violated in")
            && line.contains("accounts_balance_check")
            && line.contains(&format!("({account}, {account}, CNY"))
            && line.contains("millpond verify")
    });
    assert!(named, "row {account} or cure is missing:\n{log}");
    assert!(before.parse::<u64>().is_ok_and(|rows| rows > 0), "{before}");
    // Nothing of a batch that contradicts is there; those of other partitions may be.
    assert_eq!(sql(&postgres, &changes), before, "changes of account {account} were written without it");
}
