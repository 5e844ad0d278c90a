//! What an operator reads about topics.

use super::*;
use crate::config::Config;
use crate::topics::{Found, compare, wanted};

/// Returns a survey in which one topic is missing, one is wrong, one is weak and the others are as wanted.
fn survey() -> Survey {
    let config = Config::default();
    let topology = App::Accounts.topology(&config).unwrap();
    let topics = wanted(&config, &topology).into_iter().map(|wanted| {
        let mut settings: std::collections::BTreeMap<String, String> =
            wanted.settings().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut found = Found { partitions: 4, replicas: 1, settings: settings.clone() };
        match wanted.section {
            "topics.commands" => found.partitions = 6,
            "topics.accounts" => {
                settings.insert("retention.ms".to_owned(), "1000".to_owned());
                found.settings = settings;
            }
            _ => {}
        }
        let found = (wanted.section != "topics.deadletter").then_some(found);
        let differences = found.as_ref().map(|found| compare(&wanted, found, &config)).unwrap_or_default();
        Surveyed { wanted, found, differences }
    });
    Survey { topics: topics.collect() }
}

#[test]
fn the_table_lists_all_and_the_cures_follow() {
    insta::assert_snapshot!(shown(&survey(), Format::Table).unwrap());
}

#[test]
fn json_tells_the_same() {
    let text = shown(&survey(), Format::Json).unwrap();
    let topics: Value = serde_json::from_str(&text).unwrap();
    let states: Vec<_> = (0..5).map(|index| topics[index]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ok", "wrong", "weak", "missing", "ok"]);
    assert_eq!(topics[1]["differences"][0]["runnable"], false);
    assert_eq!(topics[3]["found"], Value::Null);
}
