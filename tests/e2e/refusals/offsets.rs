//! Committed offsets that expired, were deleted, or were moved from outside: stopped at, but for all gone together, which the
//! state itself makes up for.

use std::time::Duration;

use super::operator::{
    Committed, commit, commit_unfenced, committed, delete_offset, delete_offsets, run_named_command,
    wait_empty,
};
use super::{PATIENCE, SETTINGS, ended, finish, inputs, load, refusal, refused, settled, started};
use crate::support::{Node, Verdict, World, wait_drained, wait_until};

fn offset_of(committed: &Committed, topic: &str, partition: i32) -> i64 {
    committed.get(&(topic.to_owned(), partition)).map_or(-1, |(offset, _)| *offset)
}

#[test]
fn offsets_that_others_moved_or_deleted_are_refused_and_the_named_cure_works() {
    let world = settled("moved");
    let [orders, commands] = inputs(&world);
    let stood = committed(&world);
    let (first, second) = (offset_of(&stood, &orders, 0), offset_of(&stood, &commands, 1));

    commit(&world, &orders, 0, first - 10);
    let (golden, words) = refusal(&world, &[]);
    insta::assert_snapshot!("moved_back", golden);
    // As the message says, with Kafka's own tool.
    wait_empty(&world);
    let said = run_named_command(&words);
    assert_eq!(offset_of(&committed(&world), &orders, 0), first, "{said}");
    finish(&world, started(&world, &[]));

    commit_unfenced(&world, &commands, 1, second + 3);
    insta::assert_snapshot!("moved_forward", refused(&world, &[]));
    commit_unfenced(&world, &commands, 1, second);

    delete_offset(&world, &commands, 0);
    insta::assert_snapshot!("one_deleted", refused(&world, &[]));
    commit_unfenced(&world, &commands, 0, offset_of(&stood, &commands, 0));

    let node = started(&world, &[]);
    load(&world, 100, 3);
    finish(&world, node);
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn offsets_that_all_expired_are_made_up_for_by_the_state() {
    let world = settled("expired");
    let stood = committed(&world);
    assert!(stood.values().any(|(offset, _)| *offset > 0), "nothing was committed: the run is void");
    delete_offsets(&world);
    assert!(committed(&world).is_empty(), "offsets are left: the run is void");
    load(&world, 100, 3);
    let node = started(&world, &[]);
    finish(&world, node);
    for ((topic, partition), (offset, _)) in &committed(&world) {
        assert!(*offset >= offset_of(&stood, topic, *partition), "{topic}-{partition} went back to {offset}");
    }
    Verdict::of(&world, "one").assert_clean();
}

/// Kafka takes them only from a transaction that names no member; the next transaction of the application sets them right.
#[test]
fn offsets_moved_under_the_running_process_change_nothing() {
    let world = World::with("moving", &SETTINGS);
    let node = started(&world, &[]);
    let mut background =
        world.start_load(&["--users", "20", "--orders", "6000", "--rate", "1500", "--seed", "4"]);
    let [orders, commands] = inputs(&world);
    let at = |topic: &str, partition| offset_of(&committed(&world), topic, partition);
    wait_until("work is under way", PATIENCE, || at(&orders, 0) > 100 && at(&orders, 1) > 100);
    let mut seen = 0;
    for (topic, partition, offset) in [(&orders, 0, 5), (&orders, 1, 1_000_000), (&commands, 0, 1)] {
        commit_unfenced(&world, topic, partition, offset);
        seen += u32::from(at(topic, partition) == offset);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(background.wait().is_ok_and(|status| status.success()), "load");
    // Where nothing comes any more nothing is committed any more: a last load moves every partition.
    load(&world, 100, 5);
    wait_drained(&world, PATIENCE);
    let mut node = node;
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    eprintln!("{seen} of 3 moved offsets were seen before they were set right");
    finish(&world, started(&world, &[]));
    Verdict::of(&world, "one").assert_clean();
}

/// Moved while it runs and not set right before it stops: found at the next start.
#[test]
fn an_offset_moved_under_an_idle_process_is_refused_at_the_next_start() {
    let world = settled("idle");
    let [orders, _] = inputs(&world);
    let stood = committed(&world);
    let mut node = started(&world, &[]);
    commit_unfenced(&world, &orders, 1, 1_000_000);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    let mut again = Node::start(&world, "one", &[]);
    let told = ended(&world, &mut again);
    assert!(told.contains("was moved from outside"), "{told}");
    commit_unfenced(&world, &orders, 1, offset_of(&stood, &orders, 1));
    finish(&world, started(&world, &[]));
    Verdict::of(&world, "one").assert_clean();
}
