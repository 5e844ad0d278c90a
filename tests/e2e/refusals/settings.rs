//! Settings that exactly-once does not survive, and those of another topology.

use std::fs;

use super::{refused, settled, told};
use crate::support::World;

/// What is refused before anything is asked of a broker.
fn denied(world: &World, extra: &[(&str, &str)], args: &[&str]) -> String {
    let mut command = world.command("one", &[args, &["run"]].concat());
    let output = command.envs(extra.iter().copied()).env("NO_COLOR", "1").output();
    let output = output.unwrap_or_else(|error| panic!("run: {error}"));
    told(world, output.status.code(), &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn settings_that_skip_or_move_records_are_refused_where_they_stand() {
    let world = settled("settings");

    let file = world.dir.path().join("millpond.toml");
    let text = "# Settings of a test.\n[kafka.consumer]\n\"fetch.min.bytes\" = 1\n\"auto.offset.reset\" = \"earliest\"\n";
    fs::write(&file, text).unwrap_or_else(|error| panic!("{error}"));
    let config = ["--config", &file.display().to_string()];
    insta::assert_snapshot!("reset_in_the_file", denied(&world, &[], &config));
    let variable = [("MILLPOND_KAFKA__CONSUMER__AUTO_OFFSET_RESET", "latest")];
    insta::assert_snapshot!("reset_in_the_environment", denied(&world, &variable, &[]));
    let flag = ["--set", "kafka.consumer.auto.offset.reset=latest"];
    insta::assert_snapshot!("reset_in_a_flag", denied(&world, &[], &flag));

    let (orders, commands) = (world.topic("order.events"), world.topic("account.commands"));
    let swapped = [
        ("MILLPOND_TOPICS__ORDERS__NAME", commands.as_str()),
        ("MILLPOND_TOPICS__COMMANDS__NAME", orders.as_str()),
    ];
    insta::assert_snapshot!("topics_swapped", refused(&world, &swapped));
    let events = world.topic("account.events");
    let replaced = [("MILLPOND_TOPICS__COMMANDS__NAME", events.as_str())];
    insta::assert_snapshot!("topic_replaced", refused(&world, &replaced));
}
