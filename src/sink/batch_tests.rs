//! Splitting and trimming never lose, repeat or reorder a record, and keep the offsets contiguous.

use proptest::prelude::*;

use super::*;

fn run(number: i32, from: i64, gaps: &[i64], tail: i64) -> Run {
    let partition = Arc::new(Partition { topic: "t".to_owned(), number, content: Content::AccountEvents });
    let mut next = from;
    let records = gaps
        .iter()
        .map(|gap| {
            let offset = next + gap;
            next = offset + 1;
            Record { offset, timestamp_ms: None, key: None, value: None, headers: 0..0 }
        })
        .collect();
    Run { partition, epoch: 1, from, to: next + tail, records, arena: Arc::default() }
}

fn offsets(batch: &Batch) -> Vec<(i32, i64)> {
    let of_run = |run: &Run| run.records.iter().map(|r| (run.partition.number, r.offset)).collect::<Vec<_>>();
    batch.runs.iter().flat_map(of_run).collect()
}

proptest! {
    #[test]
    fn halves_are_the_whole_in_order(
        gaps in prop::collection::vec(prop::collection::vec(0_i64..4, 0..9), 1..5), tail in 0_i64..3
    ) {
        let runs = gaps.iter().enumerate().map(|(n, gaps)| run(i32::try_from(n).unwrap(), 5, gaps, tail));
        let batch = Batch::new(runs.collect());
        prop_assume!(batch.rows() >= 2);
        let whole = offsets(&batch);
        let ends: Vec<i64> = batch.runs.iter().map(|run| run.to).collect();
        let (head, rest) = batch.halves();
        prop_assert_eq!(head.rows(), whole.len() / 2);
        let mut joined = offsets(&head);
        joined.extend(offsets(&rest));
        prop_assert_eq!(joined, whole);
        // Per partition the parts touch, begin at the beginning and end at the end.
        for (number, end) in ends.into_iter().enumerate() {
            let number = i32::try_from(number).unwrap();
            let mut next = 5;
            for run in head.runs.iter().chain(&rest.runs).filter(|run| run.partition.number == number) {
                prop_assert_eq!(run.from, next);
                prop_assert!(run.records.iter().all(|r| r.offset >= run.from && r.offset < run.to));
                next = run.to;
            }
            prop_assert_eq!(next, end);
        }
    }

    #[test]
    fn trimming_leaves_exactly_what_is_not_below(gaps in prop::collection::vec(0_i64..4, 0..9), cut in 0_i64..50) {
        let mut trimmed = run(0, 5, &gaps, 2);
        let whole = trimmed.clone();
        let dropped = trimmed.trim(cut);
        prop_assert_eq!(dropped, whole.records.iter().filter(|r| r.offset < cut).count());
        prop_assert!(trimmed.records.iter().all(|r| r.offset >= cut));
        prop_assert_eq!(trimmed.records.len() + dropped, whole.records.len());
        prop_assert!(trimmed.from >= whole.from && trimmed.from <= trimmed.to && trimmed.to == whole.to);
    }
}
