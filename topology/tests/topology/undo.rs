//! A record that cannot be processed leaves nothing behind: store, outputs, counters, output indices, stream
//! time.

use millpond_topology::{ProcessError, TaskError};

use crate::support::{Bench, WALL_MS, record};

fn said(bench: &mut Bench) -> Vec<String> {
    bench.outputs("out").into_iter().map(|(_, value)| value).collect()
}

#[test]
pub(crate) fn a_rejected_record_undoes_its_writes_outputs_and_counts_and_no_other() {
    let mut bench = Bench::fresh();
    bench.left("put 1 1 1 5; put 2 1 1 6; count; say first");
    bench.left("put 1 1 1 50; del 2 1 1; put 1 9 9 1; count; count; say second; dead");
    bench.left("get 1 1 1; get 2 1 1; get 1 9 9; count");
    assert_eq!(said(&mut bench), ["left@0.0 first", "left@2.0 5", "left@2.1 6", "left@2.2 -"]);
    let (images, tallies) = {
        let sealed = bench.task.seal();
        (sealed.images().len(), sealed.marker().tallies.clone())
    };
    assert_eq!(images, 2, "the key written by the rejected record alone has no after-image");
    assert_eq!((tallies[0].live_keys, tallies[0].sums.clone()), (1, vec![5, 1]));
    let applied = bench.commit();
    assert_eq!((applied.records, applied.images, applied.counters.get("counted")), (3, 2, 2));
    assert_eq!((applied.outputs, applied.dead_letters.get("SCRIPTED")), (5, 1));
}

#[test]
fn what_a_rejected_record_read_is_still_right_after_it() {
    let mut bench = Bench::fresh();
    bench.left("put 1 1 1 5; put 2 1 1 6");
    bench.commit();
    bench.left("get 1 1 1; get 2 1 1; add 1 1 1 1; put 2 1 1 7; get 1 8 8; dead");
    bench.left("get 1 1 1; get 2 1 1; get 1 8 8");
    assert_eq!(said(&mut bench), ["left@2.0 5", "left@2.1 6", "left@2.2 -"]);
    assert_eq!(bench.task.seal().images().len(), 0);
}

#[test]
fn a_rejected_record_counts_as_seen_by_stream_time_and_one_that_stops_does_not() {
    let mut bench = Bench::fresh();
    bench.push(0, record(100, "k", "dead"));
    bench.push(0, record(200, "k", "say x; stop"));
    assert!(bench.task.process(bench.now, usize::MAX).is_err());
    assert_eq!(bench.task.seal().marker().stream_time_ms, 100);
}

#[test]
fn what_is_pending_is_what_will_be_produced() {
    let mut bench = Bench::fresh();
    bench.left("say first");
    bench.left("say second; say third; dead");
    let (bytes, rows) = (bench.task.pending_bytes(), bench.task.pending_rows());
    let sealed = bench.task.seal();
    assert_eq!(bytes, sealed.outputs().map(|(_, _, run)| run.bytes()).sum::<usize>());
    assert_eq!(rows, sealed.outputs().map(|(_, _, run)| run.len()).sum::<usize>());
    bench.task.rollback();
    assert_eq!((bench.task.pending_bytes(), bench.task.pending_rows()), (0, 0));
}

#[test]
fn a_retry_undoes_the_record_and_it_comes_again() {
    let mut bench = Bench::fresh();
    bench.left("put 1 1 1 5; say first");
    bench.push(0, record(WALL_MS, "k", "put 1 1 1 6; count; say second; retry"));
    for _ in 0..2 {
        let failed = bench.task.process(bench.now, usize::MAX).unwrap_err();
        let TaskError::Record { source: ProcessError::Retry { message }, offset: 1, .. } = failed else {
            panic!("{failed}")
        };
        assert_eq!(message, "the script says so");
    }
    assert_eq!(said(&mut bench), ["left@0.0 first"]);
    assert_eq!(bench.task.seal().offsets()[0].offset, 1, "the record that asks for a retry is not passed");
    let applied = bench.commit();
    assert_eq!((applied.records, applied.counters.get("counted")), (1, 0));
    assert_eq!(bench.task.input(0).unwrap().waiting, 1);
}
