//! Input records that were deleted before they were processed.

use std::time::Duration;

use super::operator::{committed, ends};
use super::{ended, finish, inputs, load, refused, settled, started};
use crate::support::kafka::delete_below;
use crate::support::{Node, Verdict, World, committed_offset};
use rdkafka::Offset;

fn signal(node: &Node, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &node.pid().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
}

/// Deletes all orders, some of which must be unprocessed in each partition.
fn trim(world: &World) {
    let [orders, _] = inputs(world);
    delete_below(world, &orders, Offset::End);
    let begins: Vec<i64> = ends(world)[&orders].iter().map(|(begin, _)| *begin).collect();
    for (partition, begin) in (0..).zip(begins) {
        let next = committed_offset(world, &orders, partition);
        assert!(begin > next, "partition {partition} begins at {begin}, {next} is next: the run is void");
    }
}

#[test]
fn records_deleted_before_they_were_processed_are_refused_until_a_person_gives_them_up() {
    let world = settled("retention");
    load(&world, 150, 3);
    trim(&world);
    insta::assert_snapshot!("passed", refused(&world, &[]));
    let before = committed(&world);
    let allowed = [("MILLPOND_START__TRIMMED_INPUT", "allow")];
    let node = started(&world, &allowed);
    load(&world, 100, 4);
    finish(&world, node);
    for (place, (offset, _)) in &committed(&world) {
        assert!(*offset > before[place].0 || place.0.ends_with("account.commands"), "{place:?} stands still");
    }
    assert_nothing_differs(&world);
    // Given up once: it needs no permission any more.
    let mut node = started(&world, &[]);

    // Deleted under the running process, before it could read them.
    signal(&node, "-STOP");
    // A fetch that is under way is answered with nothing by then.
    std::thread::sleep(Duration::from_millis(300));
    load(&world, 150, 5);
    trim(&world);
    signal(&node, "-CONT");
    // Either partition may be the first.
    let told = ended(&world, &mut node)
        .replace("order.events-0", "order.events-P")
        .replace("order.events-1", "order.events-P");
    insta::assert_snapshot!("passed_running", told);
    insta::assert_snapshot!("passed", ended(&world, &mut Node::start(&world, "one", &[])));
    finish(&world, started(&world, &allowed));
    assert_nothing_differs(&world);
}

/// What is deleted cannot be checked; all else is as it should be.
fn assert_nothing_differs(world: &World) {
    let verdict = Verdict::of(world, "one");
    assert_eq!(verdict.failed(), Vec::<&str>::new(), "{}", verdict.text);
}
