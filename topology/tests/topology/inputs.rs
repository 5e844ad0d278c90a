//! The choice between inputs, and the offsets that are sent.

use millpond_topology::{MemoryState, OwnedRecord};

use crate::support::{Bench, WALL_MS, fresh, record, topology};

const LEFT: usize = 0;
const RIGHT: usize = 1;

fn said(bench: &mut Bench) -> Vec<String> {
    bench.outputs("out").into_iter().map(|(_, value)| value).collect()
}

#[test]
fn the_smallest_timestamp_comes_first_and_the_first_input_wins_a_tie() {
    let mut bench = Bench::fresh();
    for (index, timestamp_ms) in [(LEFT, 20), (LEFT, 40), (RIGHT, 10), (RIGHT, 20), (RIGHT, 30)] {
        bench.push(index, record(timestamp_ms, "k", "say x"));
    }
    bench.end(LEFT);
    bench.end(RIGHT);
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(5));
    let order = ["right@0.0 x", "left@0.0 x", "right@1.0 x", "right@2.0 x", "left@1.0 x"];
    assert_eq!(said(&mut bench), order);
}

#[test]
fn an_empty_input_that_is_not_at_its_end_holds_up_the_others() {
    let topology = topology();
    let mut bench = Bench::new(&topology, &fresh(&topology), MemoryState::new());
    bench.push(LEFT, record(20, "k", "say x"));
    assert!(bench.task.awaits(RIGHT) && !bench.task.awaits(LEFT));
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(0));
    bench.push(RIGHT, record(10, "k", "say x"));
    assert_eq!(
        bench.task.process(bench.now, usize::MAX),
        Ok(1),
        "the one of `right`, which is then empty again"
    );
    bench.end(RIGHT);
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1));
    assert_eq!(said(&mut bench), ["right@0.0 x", "left@0.0 x"]);
}

#[test]
fn an_end_below_what_was_handed_over_is_stale() {
    let mut bench = Bench::fresh();
    bench.push(LEFT, record(20, "k", "say x"));
    bench.task.reached_end(LEFT, 0);
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1));
    assert!(bench.task.awaits(LEFT), "nothing says that offset 1 is the end");
}

#[test]
pub(crate) fn a_record_dated_too_far_ahead_holds_up_nothing_and_moves_no_stream_time() {
    let mut bench = Bench::fresh();
    bench.push(LEFT, record(WALL_MS + 1001, "k", "say late"));
    bench.push(LEFT, record(10, "k", "say a; time"));
    bench.push(RIGHT, record(20, "k", "say b; time"));
    bench.push(RIGHT, record(-1, "k", "say c"));
    bench.push(RIGHT, record(WALL_MS + 1000, "k", "time"));
    assert_eq!(bench.task.process(bench.now, 2), Ok(2));
    assert_eq!(bench.outputs("dead").len(), 1);
    bench.task.rollback();
    bench.end(LEFT);
    bench.end(RIGHT);
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(5));
    let limit = WALL_MS + 1000;
    let want = ["left@1.0 a".to_owned(), "left@1.1 10 10".to_owned(), "right@0.0 b".to_owned()];
    assert_eq!(said(&mut bench)[..3], want);
    assert_eq!(said(&mut bench)[3..], ["right@0.1 20 20".to_owned(), format!("right@2.0 {limit} {limit}")]);
    assert_eq!(bench.outputs("dead").len(), 2);
}

#[test]
pub(crate) fn the_offset_sent_is_the_next_unprocessed_record_or_the_position_when_there_is_none() {
    let mut bench = Bench::fresh();
    let offsets = |bench: &mut Bench| -> Vec<(String, u32, i64)> {
        let sealed = bench.task.seal();
        sealed.offsets().into_iter().map(|sent| (sent.topic, sent.partition, sent.offset)).collect()
    };
    for offset in [3, 7] {
        let given = OwnedRecord { offset, ..record(10, "k", "") };
        assert!(bench.task.push(LEFT, given));
    }
    assert_eq!(bench.task.process(bench.now, 1), Ok(1));
    assert_eq!(offsets(&mut bench), [("left".to_owned(), 2, 7), ("right".to_owned(), 2, 0)]);
    bench.commit();
    assert!(!bench.task.is_dirty());
    assert_eq!(bench.task.process(bench.now, 1), Ok(1));
    bench.task.reached_end(LEFT, 9);
    assert_eq!(offsets(&mut bench)[0].2, 9, "a transaction marker lies behind the record");
    bench.commit();
    bench.task.reached_end(RIGHT, 5);
    assert!(bench.task.is_dirty() && !bench.task.has_effects(), "the position alone has moved");
    assert_eq!(offsets(&mut bench)[1].2, 5);
}

#[test]
pub(crate) fn records_below_the_applied_offset_are_skipped_and_offsets_never_decrease() {
    let topology = topology();
    let mut restored = fresh(&topology);
    for input in &mut restored.inputs {
        input.next_offset = 40;
    }
    let mut bench = Bench::new(&topology, &restored, MemoryState::new());
    for offset in [0, 39] {
        assert!(!bench.task.push(LEFT, OwnedRecord { offset, ..record(10, "k", "say x") }));
    }
    bench.task.reached_end(LEFT, 12);
    bench.task.reached_end(RIGHT, 40);
    assert!(bench.task.awaits(LEFT), "an end below the applied offset is none");
    bench.push(LEFT, record(10, "k", "say x"));
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1));
    assert_eq!(said(&mut bench), ["left@40.0 x"]);
    let sent: Vec<i64> = bench.task.seal().offsets().iter().map(|sent| sent.offset).collect();
    assert_eq!(sent, [41, 40]);
    bench.commit();
    assert!(!bench.task.push(LEFT, OwnedRecord { offset: 40, ..record(10, "k", "say x") }), "applied by now");
}
