//! kill -9 of a process that writes, again and again, against a model.

use std::path::Path;
use std::time::Duration;

use millpond_state::{Found, Store};

use crate::child::{self, Role};
use crate::support::{Model, Random, apply, assert_same, content, fold, identity, images, open, seed, small};

const KILLS: u32 = 60;

/// Fewer kills than this that cost unflushed rows would prove little: the run is void.
const KILLS_WITH_UNFLUSHED_ROWS_MIN: u32 = 20;

/// Offsets per batch; several, as transaction markers take some too.
const OFFSETS_PER_BATCH: i64 = 10;

/// Body of the child: goes on from where the store says, and never flushes but now and then.
pub(crate) fn apply_for_ever(dir: &Path, seed: u64) {
    let mut store = Store::open(dir, &identity(), &small()).unwrap().store;
    let from = u64::try_from(store.position() / OFFSETS_PER_BATCH).unwrap();
    for number in from.. {
        let done = number + 1;
        apply(&mut store, &images(seed, number), done, i64::try_from(done).unwrap() * OFFSETS_PER_BATCH);
        child::report(done);
        if Random(seed ^ number).below(100) == 0 {
            store.flush(1_000).unwrap();
            let durable = store.durable().unwrap().unwrap();
            assert_eq!(durable.position, store.position(), "all is durable after a flush");
        }
    }
}

/// Number of batches that the store in `dir` holds, after checking that it holds exactly these.
fn check_prefix(dir: &Path, seed: u64, model: &mut Model, known: &mut u64) -> u64 {
    let opened = open(dir);
    let held = match opened.found {
        Found::Fresh => 0,
        Found::Existing { metadata, marker } => {
            let sequence = marker.expect("every batch holds a marker").sequence;
            assert_eq!(metadata.position, i64::try_from(sequence).unwrap() * OFFSETS_PER_BATCH);
            sequence
        }
    };
    assert!(held >= *known, "the store went back from batch {known} to {held}, which was durable");
    for number in *known..held {
        fold(model, &images(seed, number));
    }
    *known = held;
    assert_same(&content(&opened.store.reader()), model, &format!("not the prefix of {held} batches"));
    held
}

#[test]
fn after_every_kill_the_store_is_a_prefix_and_says_which() {
    let seed = seed("kill loop");
    let dir = tempfile::tempdir().unwrap();
    let (mut random, mut model, mut known) = (Random(seed), Model::new(), 0);
    let (mut with_unflushed_rows, mut lost) = (0, 0);
    for kill in 0..KILLS {
        let running = child::start(Role::Apply, dir.path(), seed);
        let reported = running.kill_after(Duration::from_millis(random.below(200))).unwrap();
        let held = check_prefix(dir.path(), seed, &mut model, &mut known);
        assert!(held <= reported + 1, "kill {kill}: batch {held} was never applied, only {reported}");
        if held < reported {
            with_unflushed_rows += 1;
            lost += reported - held;
        }
    }
    println!(
        "{KILLS} kills, {with_unflushed_rows} with unflushed rows, {lost} batches to replay, {known} durable"
    );
    assert!(with_unflushed_rows >= KILLS_WITH_UNFLUSHED_ROWS_MIN, "void: only {with_unflushed_rows}");
    assert!(known > 0, "void: nothing ever became durable");
}
