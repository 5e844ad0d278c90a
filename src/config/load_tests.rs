//! Layers over each other, and what an operator reads when one of them is wrong.

use std::fs;
use std::path::Path;

use super::*;

fn sources(file: &Path, environment: &[(&str, &str)], set: &[&str]) -> Sources {
    Sources {
        file: Some(file.to_owned()),
        environment: environment
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        set: set.iter().map(|argument| (*argument).to_owned()).collect(),
    }
}

fn with_file(text: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("millpond.toml");
    fs::write(&path, text).unwrap();
    let shown = |error: ConfigError| error.to_string().replace(folder.path().to_str().unwrap(), "DIR");
    load(&sources(&path, environment, set)).map_err(shown)
}

#[test]
fn later_layers_win_and_origins_say_which() {
    let file = "[commit]\ninterval = \"1s\"\nrows = 5\n[app]\nid = \"mine\"\n";
    let environment = [("MILLPOND_COMMIT__INTERVAL", "2s"), ("MILLPOND_COMMIT__ROWS", "6")];
    let loaded = with_file(file, &environment, &["commit.interval=3s"]).unwrap();
    assert_eq!(loaded.config.commit.interval.ms(), 3_000);
    assert_eq!(loaded.config.commit.rows, 6);
    assert_eq!(loaded.config.app.id, "mine");
    assert_eq!(loaded.origin("commit.interval").to_string(), "--set commit.interval");
    assert_eq!(loaded.origin("commit.rows").to_string(), "MILLPOND_COMMIT__ROWS");
    assert!(loaded.origin("app.id").to_string().ends_with("millpond.toml:5"));
    assert_eq!(loaded.origin("threads"), Origin::Default);
}

#[test]
fn every_problem_is_listed_with_its_place_and_cure() {
    let file = "[commit]\nintervall = \"1s\"\nmode = \"fast\"\n\n[http]\nlisten = 9464\n[kafka.consumer]\n\
                isolation.level = \"read_uncommitted\"\nfetch.min.bites = 3\n[state.dir]\nx = 1\n";
    let error =
        with_file(file, &[("MILLPOND_TRANSACTION__TIMEOUT", "10")], &["sink=1", "thread=2"]).unwrap_err();
    insta::assert_snapshot!(error);
}

#[test]
fn a_key_that_is_empty_or_the_number_of_its_line_is_shown_after_its_place() {
    let error = with_file("\"\" = 1\n2 = 3\n", &[], &[]).unwrap_err();
    for line in ["DIR/millpond.toml:1: \"\" is not a known key", "DIR/millpond.toml:2: 2 is not a known key"]
    {
        assert!(error.contains(line), "{error}");
    }
}

#[test]
fn rules_between_keys_name_the_line_that_broke_them() {
    let error = with_file("transaction.timeout = \"1s\"\ncommit.interval = \"2s\"\n", &[], &[]).unwrap_err();
    assert!(error.starts_with("DIR/millpond.toml:1: transaction.timeout is 1s"), "{error}");
}

#[test]
fn a_secret_is_in_no_output() {
    let url = "postgres://app:hunter2@db/ledger";
    let environment =
        [("MILLPOND_SINK__POSTGRES__URL", url), ("MILLPOND_KAFKA__PRODUCER__SASL_PASSWORD", "hunter2")];
    let loaded = load(&Sources {
        environment: environment
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(loaded.config.postgres_url().unwrap().expose(), url);
    let outputs = [
        format!("{:?}", loaded.config),
        serde_json::to_string(&loaded.config).unwrap(),
        serde_json::to_string(&loaded.shown()).unwrap(),
    ];
    for output in outputs {
        assert!(!output.contains("hunter2"), "{output}");
    }
}

#[test]
fn a_secret_of_the_wrong_shape_is_not_repeated() {
    let environment = [("MILLPOND_SINK__POSTGRES__URL".to_owned(), "mysql://app:hunter2@db/x".to_owned())];
    let error =
        load(&Sources { environment: environment.to_vec(), ..Sources::default() }).unwrap_err().to_string();
    assert!(error.contains("must begin with postgres://") && !error.contains("hunter2"), "{error}");
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let loaded = load(&Sources::default()).unwrap();
    let lines = loaded.shown().into_iter().map(|shown| {
        assert_eq!(shown.origin, "default");
        format!("{} = {}", shown.key, shown.value.unwrap_or_else(|| "none".to_owned()))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}
