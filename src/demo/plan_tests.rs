//! What of a demo is its own, and what is the user's.

use std::path::Path;

use super::Plan;
use crate::config::{Config, Secret};
use crate::demo::args::DemoArgs;
use crate::demo::error::DemoError;
use crate::demo::identity::RunId;

fn args() -> DemoArgs {
    DemoArgs {
        users: 20_000,
        orders: 200_000,
        rate: 8_000,
        seed: 1,
        kill_at: 0.5,
        no_kill: false,
        keep: false,
    }
}

fn base() -> Config {
    let mut config = Config::default();
    config.sink.postgres.url = Some(Secret::new("postgres://u:p@h:5/base?sslmode=require"));
    config.topics.orders.partitions = 6;
    config
}

fn plan(args: &DemoArgs) -> Plan {
    Plan::new(&base(), args, RunId::new(0, 7), Path::new("/x/demo-1"), 4_711).unwrap()
}

#[test]
fn every_name_is_the_demos_own() {
    let plan = plan(&args());
    let (run, config) = (plan.run.as_str().to_owned(), &plan.config);
    assert_eq!(config.app.id, run);
    let topics = &config.topics;
    for topic in [&topics.orders, &topics.commands, &topics.accounts, &topics.deadletter] {
        assert!(plan.run.owns_topic(&topic.name), "{}", topic.name);
    }
    assert!(plan.run.owns_topic(&plan.changelog()));
    assert_eq!(config.state.dir, Path::new("/x/demo-1/state"));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:4711");
    assert_eq!(plan.database_url, "postgres://u:p@h:5/demo_19700101_000000_0007?sslmode=require");
    assert_eq!(config.sink.postgres.url.as_ref().map(Secret::expose), Some(plan.database_url.as_str()));
    assert_eq!(topics.orders.partitions, 6);
    let target = plan.oracle_target();
    assert_eq!(target.state_dirs, [Path::new("/x/demo-1/state").join(run)]);
}

#[test]
fn flushes_come_before_the_kill_however_short_the_demo_is() {
    assert_eq!(plan(&args()).flush_interval().as_millis(), 3_000);
    assert_eq!(plan(&DemoArgs { orders: 20_000, ..args() }).flush_interval().as_millis(), 312);
    assert_eq!(plan(&DemoArgs { orders: 100, ..args() }).flush_interval().as_millis(), 200);
}

#[test]
fn without_a_database_it_says_what_to_do() {
    let mut config = base();
    config.sink.postgres.url = None;
    let refused = Plan::new(&config, &args(), RunId::new(0, 7), Path::new("/x"), 1);
    assert!(matches!(refused, Err(DemoError::NoPostgres)));
}
