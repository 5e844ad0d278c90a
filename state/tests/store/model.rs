//! Any sequence of transactions, flushes and reopenings reads like a sorted map.

use std::ops::{Bound, ControlFlow};

use millpond_state::Store;
use millpond_topology::StateReader;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::support::{Images, Model, apply, content, fold, open};

#[derive(Debug, Clone)]
enum Step {
    Apply(Images),
    Flush,
    Reopen,
    Get(Vec<u8>),
    Scan(Vec<u8>, Option<Vec<u8>>, usize),
}

/// Few and short, with bytes at both ends: neighbours, prefixes and bounds all occur.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let byte = || prop_oneof![Just(0u8), Just(1), Just(7), Just(0xff)];
    (1u8..=2, vec(byte(), 0..3)).prop_map(|(store, rest)| [vec![0, store], rest].concat())
}

fn steps() -> impl Strategy<Value = Step> {
    let images = btree_map(keys(), option::weighted(0.7, vec(any::<u8>(), 0..40)), 0..12);
    prop_oneof![
        4 => images.prop_map(Step::Apply),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        3 => keys().prop_map(Step::Get),
        3 => (keys(), option::of(keys()), 0usize..10).prop_map(|(from, to, n)| Step::Scan(from, to, n)),
    ]
}

fn expected_scan(model: &Model, from: &[u8], to: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    if to.is_some_and(|to| to <= from) {
        return Vec::new();
    }
    let range = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
    model.range::<[u8], _>(range).take(limit.max(1)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn scan(reader: &impl StateReader, from: &[u8], to: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        out.push((key.to_vec(), value.to_vec()));
        if out.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    reader.scan(from, to, &mut visit).unwrap();
    out
}

fn check(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut model, mut sequence) = (open(dir.path()).store, Model::new(), 0u64);
    for step in steps {
        match step {
            Step::Apply(images) => {
                sequence += 1;
                apply(&mut store, &images, sequence, i64::try_from(sequence).unwrap());
                fold(&mut model, &images);
            }
            Step::Flush => {
                store.flush(1_000).unwrap();
                assert_eq!(store.rows_since_flush(), 0);
            }
            Step::Reopen => {
                store.close(1_000).unwrap();
                store = open(dir.path()).store;
            }
            Step::Get(key) => check_get(&store, &model, &key),
            Step::Scan(from, to, limit) => {
                let want = expected_scan(&model, &from, to.as_deref(), limit);
                assert_eq!(scan(&store.reader(), &from, to.as_deref(), limit), want);
            }
        }
    }
    assert_eq!(store.position(), i64::try_from(sequence).unwrap());
    assert_eq!(content(&store.reader()), model);
}

fn check_get(store: &Store, model: &Model, key: &[u8]) {
    let mut out = b"before".to_vec();
    let found = store.reader().get(key, &mut out).unwrap();
    assert_eq!(found, model.contains_key(key));
    let value = model.get(key).map(Vec::as_slice).unwrap_or_default();
    assert_eq!(out, [b"before", value].concat(), "a get appends the value, or nothing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_reads_like_a_sorted_map(steps in vec(steps(), 1..40)) {
        check(steps);
    }
}
