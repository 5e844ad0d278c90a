//! Topics that were deleted and created again, found by their id however many records they hold; while the application was
//! stopped, and under the running one.

use std::fs;

use super::operator::{ends, grow, recreate};
use super::{SETTINGS, ended, load, refused, settled, started};
use crate::support::kafka::{Row, read};
use crate::support::{Node, World, group_lag, wait_drained, wait_until};

const COMPACT: [(&str, &str); 1] = [("cleanup.policy", "compact")];
const CREATE_TIME: [(&str, &str); 1] = [("cleanup.policy", "delete")];

/// Returns records of `rows`, repeated as needed, that make a partition end `by` offsets behind where it ended; one is the
/// marker of their transaction.
fn up_to(rows: &[Row], known: &[(i64, i64)], by: i64) -> Vec<Row> {
    let mut made = Vec::new();
    for (partition, (_, end)) in known.iter().enumerate() {
        let of = rows.iter().filter(|row| usize::try_from(row.partition) == Ok(partition));
        made.extend(of.cycle().take(usize::try_from(end + by - 1).unwrap_or(0)).cloned());
    }
    made
}

fn assert_ends(world: &World, topic: &str, wanted: &[(i64, i64)]) {
    assert_eq!(ends(world)[topic], wanted, "{topic}: the run is void");
}

#[test]
fn a_re_created_topic_is_refused_however_long_it_is() {
    let world = settled("recreated");
    for (topic, settings, name) in
        [(world.topic("order.events"), CREATE_TIME, "input"), (world.changelog(), COMPACT, "changelog")]
    {
        let (rows, known) = (read(&world, &topic), ends(&world)[&topic].clone());
        for by in [-5, 0, 5] {
            recreate(&world, &topic, &settings, &up_to(&rows, &known, by));
            let wanted: Vec<_> = known.iter().map(|(_, end)| (0, end + by)).collect();
            assert_ends(&world, &topic, &wanted);
            insta::assert_snapshot!(name, refused(&world, &[]));
        }
    }
}

#[test]
fn an_output_that_was_re_created_is_refused_until_a_person_says_that_it_is_meant() {
    let world = settled("output");
    let topic = world.topic("account.events");
    recreate(&world, &topic, &CREATE_TIME, &[]);
    let processor = [("MILLPOND_ROLES", "processor")];
    insta::assert_snapshot!("output", refused(&world, &processor));
    accept(&world, &topic);
    let mut node = started(&world, &processor);

    // Under the running process.
    recreate(&world, &topic, &CREATE_TIME, &[]);
    insta::assert_snapshot!("output_running", ended(&world, &mut node));
    insta::assert_snapshot!("output", refused(&world, &processor));
    accept(&world, &topic);
    let mut node = started(&world, &processor);
    load(&world, 100, 3);
    wait_until("the load is processed", super::PATIENCE, || group_lag(&world) == 0);
    grow(&world, &topic, 3);
    insta::assert_snapshot!("output_grown_running", ended(&world, &mut node));
    insta::assert_snapshot!("output_grown", refused(&world, &processor));
    let mut node = started(&world, &[processor[0], ("MILLPOND_TOPICS__ACCOUNTS__PARTITIONS", "3")]);
    grow(&world, &world.changelog(), 3);
    insta::assert_snapshot!("changelog_grown_running", ended(&world, &mut node));
}

/// Does what the message says: takes the topic's line out of `instance.json`.
fn accept(world: &World, topic: &str) {
    let path = world.state("one").join(&world.app).join("instance.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let noted = json["outputTopics"].as_object_mut().and_then(|topics| topics.remove(topic));
    assert!(noted.is_some(), "{text}");
    fs::write(&path, json.to_string()).unwrap_or_else(|error| panic!("{error}"));
}

/// A process that reads at its old offsets in another topic would skip the beginning of it.
#[test]
fn an_input_re_created_longer_under_the_running_process_ends_it() {
    let world = World::with("rebirth", &SETTINGS);
    let mut node = started(&world, &[]);
    load(&world, 150, 1);
    wait_drained(&world, super::PATIENCE);
    let topic = world.topic("order.events");
    let rows = read(&world, &topic);
    recreate(&world, &topic, &CREATE_TIME, &[rows.clone(), rows].concat());
    // The watch or a fetch is first to notice.
    let told = ended(&world, &mut node);
    assert!(told.starts_with("exit 1") && told.contains("APP.order.events"), "{told}");
    assert!(told.contains("re-created"), "no reason:\n{told}");
    insta::assert_snapshot!("input", ended(&world, &mut Node::start(&world, "one", &[])));
}

#[test]
fn a_changelog_re_created_under_the_running_process_ends_it() {
    let world = World::with("relog", &SETTINGS);
    let mut node = started(&world, &[]);
    load(&world, 150, 1);
    wait_drained(&world, super::PATIENCE);
    recreate(&world, &world.changelog(), &COMPACT, &[]);
    insta::assert_snapshot!("changelog_running", ended(&world, &mut node));
    // Which of the two it is depends on whether the store was flushed before.
    let told = ended(&world, &mut Node::start(&world, "one", &[]));
    let is_named = told.contains("was re-created") || told.contains("the changelog was emptied");
    assert!(told.starts_with("exit 1") && is_named && told.contains("APP.accounts.changelog"), "{told}");
    assert!(told.contains("from a backup"), "no cure:\n{told}");
}

#[test]
fn an_input_that_gets_partitions_under_the_running_process_ends_it() {
    let world = World::with("grown", &SETTINGS);
    let mut node = started(&world, &[]);
    grow(&world, &world.topic("order.events"), 3);
    insta::assert_snapshot!("input_grown_running", ended(&world, &mut node));
}
