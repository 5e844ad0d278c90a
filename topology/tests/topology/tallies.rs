//! Live keys and sums in the marker.

use millpond_topology::{MemoryState, Restored, StoreTally};

use crate::support::{AMOUNTS, Bench, topology};

fn tally(bench: &mut Bench) -> (u64, Vec<i128>) {
    let sealed = bench.task.seal();
    let tallies = &sealed.marker().tallies;
    assert_eq!(
        tallies.iter().map(|tally| tally.store).collect::<Vec<_>>(),
        [AMOUNTS],
        "of the stores that keep one"
    );
    (tallies[0].live_keys, tallies[0].sums.clone())
}

#[test]
fn every_kind_of_write_is_counted_once() {
    let mut bench = Bench::fresh();
    bench.left("put 1 0 1 10; put 1 0 2 -4; put 1 0 2 -5; put 1 0 3 1; del 1 0 3; del 1 0 4; put 2 0 1 99");
    assert_eq!(tally(&mut bench), (2, vec![5, 0]));
    bench.commit();
    // Without a get before: overwritten, deleted, deleted and put again, new.
    bench.left("put 1 0 1 7; del 1 0 2; put 1 0 5 3");
    assert_eq!(tally(&mut bench), (2, vec![10, 2]));
    bench.commit();
    bench.left("del 1 0 1; put 1 0 1 8; get 1 0 5; del 1 0 5; del 1 0 5");
    assert_eq!(tally(&mut bench), (1, vec![8, 1]));
    bench.commit();
    bench.left("get 1 0 1; get 1 0 9");
    assert_eq!(tally(&mut bench), (1, vec![8, 1]), "reading changes nothing");
}

#[test]
fn an_aborted_transaction_does_not_count() {
    let mut bench = Bench::fresh();
    bench.left("put 1 0 1 10");
    bench.commit();
    bench.left("put 1 0 1 1; put 1 0 2 2");
    assert_eq!(tally(&mut bench), (2, vec![3, 2]));
    bench.task.rollback();
    assert_eq!(tally(&mut bench), (1, vec![10, 1]));
    bench.task.rollback();
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1));
    assert_eq!(tally(&mut bench), (2, vec![3, 2]));
}

#[test]
fn a_tally_that_the_marker_lacks_is_counted_from_the_store() {
    let mut bench = Bench::fresh();
    bench.left("put 1 0 1 10; put 1 0 2 -4; put 2 0 1 99");
    let marker = bench.task.seal().marker().clone();
    bench.commit();
    // Written by a topology that kept no tally, or another number of sums.
    for tallies in [vec![], vec![StoreTally { store: AMOUNTS, live_keys: 7, sums: vec![7] }]] {
        let restored = Restored { tallies, ..Restored::from(marker.clone()) };
        let mut again = Bench::new(&topology(), &restored, bench.state.clone());
        again.end(0);
        again.end(1);
        again.left("del 1 0 2");
        assert_eq!(tally(&mut again), (1, vec![10, 1]));
    }
}

#[test]
fn a_store_whose_rows_cannot_be_decoded_is_not_counted_wrongly() {
    let topology = topology();
    let state = MemoryState::new();
    state.apply(&[0, 1, 5], Some(&[9]));
    let sub = topology.sub_topology(0).unwrap();
    let options = millpond_topology::TaskOptions {
        app: "app".to_owned(),
        input_partitions: 1,
        sink_partitions: vec![1; 2],
        timestamp_max_ahead_ms: 0,
        dead_letter_value_bytes_max: 0,
        held_bytes_max: 4096,
    };
    let restored = Restored { sequence: 1, ..crate::support::fresh(&topology) };
    let id = millpond_topology::TaskId::new(0, 0);
    let task = millpond_topology::Task::<millpond_topology::OwnedRecord>::new(
        id,
        sub,
        options,
        &restored,
        Box::new(state),
    );
    let refused = task.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("unknown version 9 of amount"), "{refused}");
}
