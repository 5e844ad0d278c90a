//! Against a real broker, named by `MILLPOND_TEST_BROKERS`.

use super::*;
use crate::app::App;
use crate::config::{Sources, load};

/// Returns a configuration with topics of its own, which do not exist yet.
fn fresh() -> Config {
    let brokers = std::env::var("MILLPOND_TEST_BROKERS");
    let brokers = brokers.expect("MILLPOND_TEST_BROKERS must name a Kafka broker, as `./dev test` does");
    let prefix = format!("topics-{}", uuid::Uuid::new_v4().simple());
    let mut all = vec![format!("kafka.brokers={brokers}"), format!("app.id={prefix}")];
    for topic in ["orders", "commands", "accounts", "deadletter"] {
        all.push(format!("topics.{topic}.name={prefix}.{topic}"));
    }
    load(&Sources { set: all, ..Sources::default() }).unwrap().config
}

#[test]
fn topics_are_created_once_and_are_then_as_wanted() {
    let config = fresh();
    let topology = App::Accounts.topology(&config).unwrap();
    let error = preflight(&config, &topology).unwrap_err();
    assert!(matches!(&error, TopicsError::Missing { topics, .. } if topics.len() == 5), "{error}");
    let created = ensure(&config, &topology).unwrap();
    assert_eq!(created.len(), 5);
    assert!(created.contains(&format!("{}.accounts.changelog", config.app.id)), "{created:?}");
    assert_eq!(ensure(&config, &topology).unwrap(), Vec::<String>::new());
    assert_eq!(preflight(&config, &topology).unwrap(), []);
    let survey = survey(&Admin::new(&config).unwrap(), &config, &topology).unwrap();
    let changelog = survey.topics.last().and_then(|topic| topic.found.as_ref()).unwrap();
    assert_eq!(changelog.partitions, 4);
    assert_eq!(changelog.settings["cleanup.policy"], "compact");
    assert_eq!(changelog.settings["segment.bytes"], "67108864");
}

#[test]
fn another_partition_count_cannot_be_run_with() {
    let mut config = fresh();
    let topology = App::Accounts.topology(&config).unwrap();
    ensure(&config, &topology).unwrap();
    config.topics.orders.partitions = 8;
    config.topics.commands.partitions = 8;
    let error = preflight(&config, &topology).unwrap_err().to_string();
    assert!(error.contains("has 4 partitions, 8 are configured"), "{error}");
    assert!(error.contains("topics.orders.partitions=4"), "{error}");
    assert!(ensure(&config, &topology).is_err());
}

#[test]
fn brokers_that_do_not_answer_are_named() {
    // A port that nothing listens on: it was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let set = vec![format!("kafka.brokers={free}")];
    let config = load(&Sources { set, ..Sources::default() }).unwrap().config;
    let error = preflight(&config, &App::Accounts.topology(&config).unwrap()).unwrap_err();
    assert!(
        matches!(&error, TopicsError::Unreachable { brokers, .. } if *brokers == free.to_string()),
        "{error}"
    );
}
