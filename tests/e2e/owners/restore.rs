//! SIGKILL in the middle of restoring a large changelog, again and again.

use std::time::Duration;

use super::{LEAVES, Load, PATIENCE, finish, wait_work};
use crate::support::{Node, World, group_lag, wait_until};

/// One task, so that its changelog is many chunks of 50,000 long.
const ONE_PARTITION: [(&str, &str); 2] =
    [("MILLPOND_TOPICS__ORDERS__PARTITIONS", "1"), ("MILLPOND_TOPICS__COMMANDS__PARTITIONS", "1")];
/// Records of the changelog, at least, else the run proves nothing: four chunks.
const RECORDS_MIN: i64 = 200_000;
/// Chunks that are written before the kill.
const WRITTEN: [u64; 3] = [0, 1, 2];

#[test]
fn kills_in_the_midst_of_a_long_restore_leave_a_store_that_goes_on() {
    let world = World::with("long-restore", &ONE_PARTITION);
    let mut first = Node::start(&world, "first", &[LEAVES]);
    world.load(&["--users", "60000", "--orders", "150000", "--rate", "0", "--seed", "77"]);
    first.wait_ready(PATIENCE);
    wait_until("the input is processed", PATIENCE * 2, || group_lag(&world) == 0);
    assert_eq!(first.stop().code(), Some(0), "{}", first.log());
    for written in WRITTEN {
        let sleeps = format!("state::in_restore={written}*off->sleep(20000)");
        let mut victim = Node::start(&world, "second", &[("FAILPOINTS", &sleeps)]);
        let progress = |node: &Node| {
            let status = node.status().unwrap_or_default();
            let state = &status["tasks"][0]["state"];
            (state["phase"] == "restoring")
                .then(|| Some((state["done"].as_i64()?, state["total"].as_i64()?)))?
        };
        let due = i64::try_from(written).unwrap_or(0) * 50_000;
        wait_until("the restore is in its midst", PATIENCE, || {
            progress(&victim).is_some_and(|(done, total)| total > 0 && done >= due)
        });
        // The next chunk is read and waits to be written.
        std::thread::sleep(Duration::from_millis(500));
        let (done, total) = progress(&victim).unwrap_or_else(|| panic!("void: {:?}", victim.phases()));
        victim.kill();
        assert!(done < total, "void: {done} of {total} were restored");
        assert!(total >= RECORDS_MIN, "void: only {total} records");
        eprintln!("killed at {done} of {total}");
    }
    let mut last = Node::start(&world, "second", &[]);
    last.wait_ready(PATIENCE);
    let restored = last.stores("restoredRecords");
    eprintln!("restored at last: {restored:?} from {:?}", last.stores("restoredFrom"));
    let load = Load::start(&world, 1000, &["--skip-funding"]);
    wait_work(&last);
    finish(&world, load, &mut [&mut last], &["first", "second"]);
}
