//! Seal, apply and rollback of a task.

use millpond_topology::{Marker, Restored, TaskError};

use crate::support::{Bench, record, topology};

/// Everything a transaction would produce.
type Content = (Vec<(String, u32, String)>, Vec<(Vec<u8>, Option<Vec<u8>>)>, Vec<u8>);

fn content(bench: &mut Bench) -> Content {
    let sealed = bench.task.seal();
    let outputs = sealed.outputs().flat_map(|(topic, partition, run)| {
        run.iter().map(move |view| {
            let value = String::from_utf8_lossy(view.value().unwrap_or_default()).into_owned();
            (topic.to_owned(), partition, format!("{:?} {value} {}", view.key(), view.timestamp_ms()))
        })
    });
    let images = sealed.images().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
    (outputs.collect(), images.collect(), sealed.marker_bytes().to_vec())
}

#[test]
fn sealing_twice_is_sealing_once_and_ends_processing() {
    let mut bench = Bench::fresh();
    assert!(bench.task.sealed().is_none());
    bench.left("put 1 2 2 5; put 2 1 1 6; say x");
    let first = content(&mut bench);
    bench.push(0, record(99, "k", "put 1 3 3 1; say y"));
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(0));
    assert_eq!(content(&mut bench), first);
    assert_eq!(bench.task.sealed().map(|sealed| sealed.marker_bytes().to_vec()), Some(first.2));
    assert_eq!(bench.commit().records, 1);
    assert_eq!(bench.task.sequence(), 1);
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1), "the record that came meanwhile is next");
}

#[test]
pub(crate) fn a_redo_gives_the_same_bytes() {
    let mut bench = Bench::fresh();
    bench.left("put 1 2 2 5; put 2 1 1 6");
    bench.commit();
    bench.left("add 1 2 2 1; del 2 1 1; say x; count");
    bench.left("dead");
    bench.left("get 2 1 1; put 1 2 2 7; put 1 0 1 3");
    let first = content(&mut bench);
    for _ in 0..2 {
        bench.task.rollback();
        assert!(bench.task.sealed().is_none());
        assert_eq!(bench.task.sequence(), 1, "an aborted transaction has no number");
        assert_eq!(bench.task.input(0).unwrap().next_offset, 1);
        assert_eq!(bench.task.pending_rows(), 0);
        assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(3));
        assert_eq!(content(&mut bench), first);
    }
    let applied = bench.commit();
    assert_eq!((applied.records, applied.counters.get("counted")), (3, 1), "counted once");
    assert_eq!(bench.task.sequence(), 2);
}

#[test]
pub(crate) fn after_images_are_one_per_key_in_key_order_and_the_last_write_wins() {
    let mut bench = Bench::fresh();
    bench.left("put 2 1 1 1; put 1 256 0 2; put 1 255 0 3; put 2 1 1 4; put 1 255 0 5; del 1 0 0; get 1 7 7");
    let key =
        |store: u16, a: u64, b: u64| [&store.to_be_bytes()[..], &a.to_be_bytes(), &b.to_be_bytes()].concat();
    let value = |amount: i64| Some([&[1], &amount.to_le_bytes()[..]].concat());
    let want = vec![
        (key(1, 0, 0), None),
        (key(1, 255, 0), value(5)),
        (key(1, 256, 0), value(2)),
        (key(u16::MAX, 1, 1), value(4)),
    ];
    assert_eq!(content(&mut bench).1, want);
    assert_eq!(bench.task.seal().changelog_records(), 5, "and the marker");
}

#[test]
pub(crate) fn the_marker_restores_the_task_that_wrote_it() {
    let mut bench = Bench::fresh();
    bench.left("put 1 2 2 5; say x");
    let marker = Marker::decode(&content(&mut bench).2).unwrap();
    assert_eq!(marker.inputs.iter().map(|input| input.topic_id).collect::<Vec<_>>(), [[9; 16]; 2]);
    assert_eq!(marker.fingerprint, topology().sub_topology(0).unwrap().fingerprint());
    bench.commit();
    let restored = Restored::from(marker);
    let mut again = Bench::new(&topology(), &restored, bench.state.clone());
    again.end(0);
    again.end(1);
    assert!(!again.task.is_dirty());
    assert_eq!(again.task.sequence(), 1);
    bench.left("add 1 2 2 1; get 1 2 2");
    again.left("add 1 2 2 1; get 1 2 2");
    assert_eq!(content(&mut again), content(&mut bench));
}

#[test]
fn what_comes_after_the_seal_is_the_next_transactions() {
    let mut bench = Bench::fresh();
    bench.left("put 1 2 2 5");
    let first = content(&mut bench);
    bench.task.reached_end(0, 9);
    bench.task.reached_end(1, 4);
    assert_eq!(content(&mut bench), first, "the offsets sent are those of the marker");
    bench.commit();
    let applied: Vec<i64> = (0..2).map(|at| bench.task.input(at).unwrap().applied_offset).collect();
    assert_eq!(applied, [1, 0]);
    assert!(bench.task.is_dirty());
    let sent: Vec<i64> = bench.task.seal().offsets().iter().map(|sent| sent.offset).collect();
    assert_eq!(sent, [9, 4]);
}

#[test]
fn stream_time_goes_back_with_the_transaction() {
    let mut bench = Bench::fresh();
    let stream_time_ms = |bench: &mut Bench| bench.task.seal().marker().stream_time_ms;
    bench.push(0, record(100, "k", ""));
    assert_eq!(bench.task.process(bench.now, 1), Ok(1));
    bench.commit();
    bench.push(0, record(200, "k", ""));
    bench.push(0, record(150, "k", ""));
    assert_eq!(bench.task.process(bench.now, 2), Ok(2));
    assert_eq!(stream_time_ms(&mut bench), 200, "the greatest, not the last");
    bench.task.rollback();
    assert_eq!(stream_time_ms(&mut bench), 100);
}

#[test]
fn apply_without_a_sealed_transaction_is_an_error() {
    let mut bench = Bench::fresh();
    assert!(matches!(bench.task.apply(), Err(TaskError::Misuse { .. })));
    bench.left("put 1 2 2 5");
    assert!(matches!(bench.task.apply(), Err(TaskError::Misuse { .. })));
    assert_eq!(bench.task.pending_rows(), 1, "nothing is lost by it");
}

#[test]
fn what_an_applied_transaction_did_is_told_by_topic() {
    let mut bench = Bench::fresh();
    bench.left("put 1 2 2 5; say x; say y");
    bench.left("dead");
    let applied = bench.commit();
    assert_eq!(applied.inputs, [("left".to_owned(), 2, 1 + 25 + 1 + 4), ("right".to_owned(), 0, 0)]);
    let topics: Vec<_> =
        applied.outputs_by_topic.iter().map(|(topic, records, _)| (topic.as_str(), *records)).collect();
    assert_eq!(topics, [("out", 2), ("dead", 1)]);
    assert!(!bench.task.is_dirty() && !bench.task.has_effects());
    assert_eq!((bench.task.pending_rows(), bench.task.input(0).unwrap().held), (0, 0));
}

#[test]
fn a_task_is_not_built_from_facts_that_do_not_fit() {
    let topology = topology();
    let mut restored = crate::support::fresh(&topology);
    restored.inputs.pop();
    let sub = topology.sub_topology(0).unwrap();
    let build = |restored: &Restored, sinks: usize| {
        let options = millpond_topology::TaskOptions {
            app: "app".to_owned(),
            input_partitions: 1,
            sink_partitions: vec![1; sinks],
            timestamp_max_ahead_ms: 0,
            dead_letter_value_bytes_max: 0,
            held_bytes_max: 4096,
        };
        let id = millpond_topology::TaskId::new(0, 0);
        let base = Box::new(millpond_topology::MemoryState::new());
        let task =
            millpond_topology::Task::<millpond_topology::OwnedRecord>::new(id, sub, options, restored, base);
        task.err().map(|error| error.to_string())
    };
    assert_eq!(build(&restored, 2).unwrap(), "task 0_0: no start offset for input topic right");
    let restored = crate::support::fresh(&topology);
    assert_eq!(build(&restored, 1).unwrap(), "task 0_0: 1 sink partition counts for 2 sinks");
    assert_eq!(build(&restored, 2), None);
}
