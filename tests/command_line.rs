//! The built binary as an operator meets it: exit codes, what goes to which stream, and what the errors say.
//!
//! A broker is named by `MILLPOND_TEST_BROKERS`; every test has its own topic names.
#![allow(clippy::expect_used, reason = "a test may fail by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `millpond` with nothing of this process's configuration in its environment.
fn millpond(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millpond"));
    let ours = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("MILLPOND_"));
    ours.for_each(|name| _ = command.env_remove(name));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Returns the flags that give a test topics of its own on the test broker.
fn own_topics() -> Vec<String> {
    let brokers = std::env::var("MILLPOND_TEST_BROKERS");
    let brokers = brokers.expect("MILLPOND_TEST_BROKERS must name a Kafka broker, as `./dev test` does");
    let prefix = format!("cli-{}", uuid::Uuid::new_v4().simple());
    let names = ["orders", "commands", "accounts", "deadletter"];
    let names = names.map(|topic| format!("--set=topics.{topic}.name={prefix}.{topic}"));
    let flags = [format!("--set=kafka.brokers={brokers}"), format!("--set=app.id={prefix}")];
    flags.into_iter().chain(names).collect()
}

fn with<'a>(arguments: &[&'a str], flags: &'a [String]) -> Vec<&'a str> {
    arguments.iter().copied().chain(flags.iter().map(String::as_str)).collect()
}

#[test]
fn version_is_data_and_needs_no_configuration() {
    let output = millpond(&["version", "--set", "no.such.key=1"]);
    assert_eq!((code(&output), err(&output)), (0, String::new()));
    assert!(
        out(&output).starts_with(concat!("millpond   ", env!("CARGO_PKG_VERSION"), "\n")),
        "{}",
        out(&output)
    );
    let json: serde_json::Value =
        serde_json::from_str(&out(&millpond(&["version", "-o", "json"]))).expect("JSON");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    for arguments in
        [&["no-such-command"][..], &["version", "--no-such-flag"], &[], &["run", "--roles", "cook"]]
    {
        let output = millpond(arguments);
        assert_eq!((code(&output), out(&output)), (2, String::new()), "{arguments:?}");
        assert!(err(&output).contains("Usage:") || err(&output).contains("--help"), "{}", err(&output));
    }
    assert_eq!(code(&millpond(&["--help"])), 0);
}

#[test]
fn a_wrong_configuration_names_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("millpond.toml");
    std::fs::write(&file, "[commit]\nintervall = \"50ms\"\n").expect("a file");
    let file = file.to_str().expect("UTF-8");
    let output = millpond(&["config", "show", "--config", file]);
    assert_eq!((code(&output), out(&output)), (2, String::new()));
    let told = err(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("millpond.toml:2: commit.intervall is not a known key"), "{told}");
    assert!(told.contains("did you mean commit.interval?"), "{told}");
    assert_eq!(code(&millpond(&["config", "validate", "--config", file])), 3);
    std::fs::write(file, "[commit]\ninterval = \"50ms\"\n").expect("a file");
    assert_eq!(code(&millpond(&["config", "validate", "--config", file])), 0);
}

#[test]
fn no_output_shows_a_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("url");
    std::fs::write(&file, "postgres://app:hunter2@127.0.0.1:1/ledger\n").expect("a file");
    let run = |arguments: &[&str]| {
        let output =
            command(arguments).env("MILLPOND_SINK__POSTGRES__URL_FILE", &file).output().expect("it runs");
        assert!(!(out(&output) + &err(&output)).contains("hunter2"), "{}{}", out(&output), err(&output));
        output
    };
    let shown = run(&["config", "show", "--origin"]);
    assert!(out(&shown).contains("<redacted>") && out(&shown).contains("URL_FILE -> "), "{}", out(&shown));
    run(&["config", "show", "-o", "json"]);
    let unreachable = run(&["migrate"]);
    assert_eq!(code(&unreachable), 1, "{}", err(&unreachable));
    let refused = run(&["migrate", "--set", "sink.postgres.url=postgres://app:hunter2@db/x"]);
    assert_eq!(code(&refused), 2, "{}", err(&refused));
    let missing = millpond(&["migrate"]);
    assert!(code(&missing) == 2 && err(&missing).contains("URL_FILE"), "{}", err(&missing));
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let mut child =
        command(&["config", "show"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((code(&output), err(&output)), (0, String::new()));
}

#[test]
fn topics_are_planned_created_and_checked_with_the_codes_of_the_help() {
    let flags = own_topics();
    let run = |arguments: &[&str]| millpond(&with(arguments, &flags));
    let planned = run(&["topics", "init"]);
    assert_eq!(code(&planned), 5, "{}", err(&planned));
    assert!(
        err(&planned).contains("5 topics to create") && err(&planned).contains("--execute"),
        "{}",
        err(&planned)
    );
    assert_eq!(code(&run(&["topics", "check"])), 4);
    assert_eq!(code(&run(&["offsets", "show"])), 4);
    let refused = run(&["run", "--roles", "processor"]);
    assert!(code(&refused) == 4 && err(&refused).contains("millpond topics init"), "{}", err(&refused));

    let created = run(&["topics", "init", "--execute", "-o", "json"]);
    assert_eq!(code(&created), 0, "{}", err(&created));
    let json: serde_json::Value = serde_json::from_str(&out(&created)).expect("JSON");
    assert_eq!(json.as_array().map(Vec::len), Some(5));
    assert_eq!(code(&run(&["topics", "init"])), 0);
    assert_eq!(code(&run(&["topics", "check"])), 0);

    let other =
        ["topics", "check", "--set", "topics.orders.partitions=6", "--set", "topics.commands.partitions=6"];
    let differs = run(&other);
    assert_eq!(code(&differs), 4);
    assert!(out(&differs).contains("has 4 partitions, 6 are configured"), "{}", out(&differs));

    let shown = run(&["offsets", "show"]);
    assert_eq!(code(&shown), 0, "{}", err(&shown));
    assert!(
        out(&shown).contains("nothing committed") && out(&shown).contains("lag 0 offsets"),
        "{}",
        out(&shown)
    );
}

#[test]
fn describing_the_topology_needs_no_broker() {
    let output = millpond(&["topology", "describe", "--set", "topics.orders.name=my.orders"]);
    assert_eq!((code(&output), err(&output)), (0, String::new()));
    assert!(
        out(&output).starts_with("Topologies:\n") && out(&output).contains("my.orders"),
        "{}",
        out(&output)
    );
    assert!(!Path::new("millpond-data").exists(), "looking at something creates nothing");
}

#[test]
fn a_state_directory_that_is_named_and_not_there_is_not_passed_over() {
    let output = millpond(&["verify", "--state-dir", "/nowhere/at/all"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    let said: String = err(&output).split_whitespace().collect();
    assert!(said.contains("/nowhere/at/all/ledger-accountsisnotthere"), "{said}");
}
