//! A changelog that lost records: its beginning, its end, or all of them. And the control: without the comparison of marker
//! and committed offsets, state that is short of what was committed is gone on with, and the oracle finds everything twice.

use std::fs;

use millpond_topology::{CHANGELOG_MARKER_KEY, Marker};
use rdkafka::Offset;

use super::operator::recreate;
use super::{PATIENCE, finish, load, refused, settled, started};
use crate::support::kafka::{Row, configure, delete_below, read};
use crate::support::{Verdict, World, group_lag, wait_until};

const COMPACT: [(&str, &str); 1] = [("cleanup.policy", "compact")];

/// A changelog's records of before, for who has a backup.
struct Backup(Vec<Row>);

impl Backup {
    fn of(world: &World) -> Self {
        Self(read(world, &world.changelog()))
    }

    /// Returns the records of each partition up to a marker that is not its last.
    fn without_the_end(&self) -> Vec<Row> {
        let mut kept = Vec::new();
        for partition in 0..i32::try_from(super::TASKS).unwrap_or(0) {
            let rows: Vec<_> = self.0.iter().filter(|row| row.partition == partition).collect();
            let is_marker = |row: &&Row| row.key == CHANGELOG_MARKER_KEY;
            let markers: Vec<_> = rows.iter().enumerate().filter(|(_, row)| is_marker(row)).collect();
            assert!(
                markers.len() > 1,
                "partition {partition}: {} transactions: the run is void",
                markers.len()
            );
            let (end, marker) = markers[(markers.len() - 1) / 2];
            let marker = Marker::decode(marker.value.as_deref().unwrap_or_default());
            let marker = marker.unwrap_or_else(|error| panic!("marker: {error}"));
            assert!(marker.inputs.iter().any(|input| input.next_offset > 0), "{marker:?}");
            kept.extend(rows.into_iter().take(end + 1).cloned());
        }
        assert!(kept.len() < self.0.len());
        kept
    }
}

fn without_state(world: &World) {
    let folder = world.state("one").join(&world.app);
    fs::remove_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

#[test]
fn a_changelog_that_lost_records_is_refused_and_a_whole_one_is_taken() {
    let world = settled("changelog");
    let changelog = world.changelog();
    let backup = Backup::of(&world);

    // No broker deletes from a topic that is only compacted: whoever does this has changed it first.
    configure(&world, &changelog, &[("cleanup.policy", "delete")]);
    delete_below(&world, &changelog, Offset::Offset(5));
    configure(&world, &changelog, &COMPACT);
    insta::assert_snapshot!("truncated", refused(&world, &[]));
    without_state(&world);
    insta::assert_snapshot!("truncated", refused(&world, &[]));

    without_state(&world);
    recreate(&world, &changelog, &COMPACT, &[]);
    insta::assert_snapshot!("emptied", refused(&world, &[]));

    without_state(&world);
    recreate(&world, &changelog, &COMPACT, &backup.without_the_end());
    insta::assert_snapshot!("lost_its_end", refused(&world, &[]));

    // What all three messages ask for.
    without_state(&world);
    recreate(&world, &changelog, &COMPACT, &backup.0);
    let node = started(&world, &[]);
    load(&world, 100, 3);
    finish(&world, node);
    Verdict::of(&world, "one").assert_clean();
}

#[test]
fn control_state_that_is_short_of_what_was_committed_is_noticed_by_the_oracle() {
    let world = settled("unmarked");
    let short = Backup::of(&world).without_the_end();
    without_state(&world);
    recreate(&world, &world.changelog(), &COMPACT, &short);
    // Without the sink, which would notice at once that the history does not fit.
    let wrong = [("MILLPOND_MUTANT", "no-marker-check"), ("MILLPOND_ROLES", "processor")];
    let mut node = started(&world, &wrong);
    load(&world, 100, 3);
    wait_until("the input is processed", PATIENCE, || group_lag(&world) == 0);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    let verdict = Verdict::of(&world, "one");
    assert_eq!(verdict.code, Some(3), "{}", verdict.text);
    assert!(verdict.failed().contains(&"outputs"), "{}", verdict.text);
    eprintln!("no-marker-check: noticed by {:?}", verdict.failed());
}
