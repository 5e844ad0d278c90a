//! Any sequence of puts, gets, deletes and scans over two stores, with commits, aborts and crashes, against a
//! sorted map. The bytes of state and marker are written down here once more, from `docs/formats.md`.

use std::collections::BTreeMap;

use millpond_topology::{StoreTally, TaskId, TestDriver};
use proptest::prelude::*;

use crate::support::{AMOUNTS, NOTES, WALL_MS, record, text, topology};

const FIRSTS: [u64; 4] = [0, 1, 255, u64::MAX];

#[derive(Debug, Clone)]
enum Op {
    Put(u16, (u64, u64), i64),
    Add(u16, (u64, u64), i64),
    Delete(u16, (u64, u64)),
    Get(u16, (u64, u64)),
    Prefix(u16, u64),
    First(u16, u64),
    Range(u16, (u64, u64), (u64, u64)),
    Count,
    Dead,
}

#[derive(Debug, Clone)]
enum Step {
    Pipe(Vec<Op>),
    Begin,
    Commit,
    Abort,
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    let store = || prop::sample::select(vec![AMOUNTS, NOTES]);
    let first = || prop::sample::select(FIRSTS.to_vec());
    let key = || (first(), 0u64..3);
    prop_oneof![
        6 => (store(), key(), -9i64..10).prop_map(|(store, key, value)| Op::Put(store, key, value)),
        3 => (store(), key(), -9i64..10).prop_map(|(store, key, value)| Op::Add(store, key, value)),
        4 => (store(), key()).prop_map(|(store, key)| Op::Delete(store, key)),
        3 => (store(), key()).prop_map(|(store, key)| Op::Get(store, key)),
        2 => (store(), first()).prop_map(|(store, first)| Op::Prefix(store, first)),
        1 => (store(), first()).prop_map(|(store, first)| Op::First(store, first)),
        2 => (store(), key(), key()).prop_map(|(store, from, to)| Op::Range(store, from, to)),
        1 => Just(Op::Count),
        1 => Just(Op::Dead),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(op(), 0..6).prop_map(Step::Pipe),
        2 => Just(Step::Begin),
        1 => Just(Step::Commit),
        1 => Just(Step::Abort),
        1 => Just(Step::Crash),
    ]
}

type Rows = BTreeMap<(u16, (u64, u64)), i64>;

fn script(op: &Op) -> String {
    let name = |store: &u16| if *store == AMOUNTS { 1 } else { 2 };
    match op {
        Op::Put(store, (a, b), value) => format!("put {} {a} {b} {value}", name(store)),
        Op::Add(store, (a, b), value) => format!("add {} {a} {b} {value}", name(store)),
        Op::Delete(store, (a, b)) => format!("del {} {a} {b}", name(store)),
        Op::Get(store, (a, b)) => format!("get {} {a} {b}", name(store)),
        Op::Prefix(store, a) => format!("prefix {} {a}", name(store)),
        Op::First(store, a) => format!("first {} {a}", name(store)),
        Op::Range(store, (a, b), (c, d)) => format!("range {} {a} {b} {c} {d}", name(store)),
        Op::Count => "count".to_owned(),
        Op::Dead => "dead".to_owned(),
    }
}

/// What is visible, and what the open transaction adds to it.
#[derive(Default)]
struct Model {
    committed: Rows,
    offset: i64,
    sequence: u64,
    working: Rows,
    pending: Vec<(i64, Vec<String>)>,
    counted: u64,
    open: bool,
}

impl Model {
    fn pipe(&mut self, ops: &[Op]) {
        let mut rows = self.working.clone();
        let (mut said, mut counted, mut dead) = (Vec::new(), 0, false);
        for op in ops {
            let listed = |found: &mut dyn Iterator<Item = (&(u16, (u64, u64)), &i64)>| {
                found.map(|((_, (a, b)), value)| format!("{a}.{b}={value}")).collect::<Vec<_>>()
            };
            match op {
                Op::Put(store, key, value) => _ = rows.insert((*store, *key), *value),
                Op::Add(store, key, value) => *rows.entry((*store, *key)).or_default() += value,
                Op::Delete(store, key) => _ = rows.remove(&(*store, *key)),
                Op::Get(store, key) => {
                    said.push(rows.get(&(*store, *key)).map_or("-".to_owned(), i64::to_string));
                }
                Op::Prefix(store, a) | Op::First(store, a) => {
                    let mut found = rows.iter().filter(|((of, (first, _)), _)| of == store && first == a);
                    let all = listed(&mut found);
                    let shown = if matches!(op, Op::First(..)) { all.len().min(1) } else { all.len() };
                    said.push(all[..shown].join(","));
                }
                Op::Range(store, from, to) => {
                    let mut found =
                        rows.iter().filter(|((of, key), _)| of == store && key >= from && key < to);
                    said.push(listed(&mut found).join(","));
                }
                Op::Count => counted += 1,
                Op::Dead => {
                    dead = true;
                    break;
                }
            }
        }
        let offset = self.offset + i64::try_from(self.pending.len()).unwrap();
        let text = |(index, text): (usize, &String)| format!("left@{offset}.{index} {text}");
        if dead {
            self.pending.push((offset, vec!["dead letter".to_owned()]));
        } else {
            self.working = rows;
            self.counted += counted;
            self.pending.push((offset, said.iter().enumerate().map(text).collect()));
        }
    }

    fn commit(&mut self) -> Vec<String> {
        self.committed = self.working.clone();
        self.offset += i64::try_from(self.pending.len()).unwrap();
        self.sequence += u64::from(!self.pending.is_empty());
        self.counted = 0;
        self.open = false;
        self.pending.drain(..).flat_map(|(_, said)| said).collect()
    }

    fn crash(&mut self) {
        self.working = self.committed.clone();
        self.pending.clear();
        self.counted = 0;
        self.open = false;
    }

    /// The state as bytes.
    fn bytes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let row = |((store, (a, b)), value): (&(u16, (u64, u64)), &i64)| {
            let key = [&store.to_be_bytes()[..], &a.to_be_bytes(), &b.to_be_bytes()].concat();
            (key, [&[1], &value.to_le_bytes()[..]].concat())
        };
        self.committed.iter().map(row).collect()
    }

    fn tally(&self) -> StoreTally {
        let rows: Vec<_> = self.committed.iter().filter(|((store, _), _)| *store == AMOUNTS).collect();
        let sum = |of: fn(i64) -> i64| rows.iter().map(|(_, value)| i128::from(of(**value))).sum();
        StoreTally {
            store: AMOUNTS,
            live_keys: rows.len() as u64,
            sums: vec![sum(|value| value), sum(i64::signum)],
        }
    }
}

fn check(driver: &mut TestDriver, model: &Model, expected: &[String]) -> Result<(), TestCaseError> {
    let task = TaskId::new(0, 0);
    prop_assert_eq!(driver.state(task), model.bytes());
    let came: Vec<String> = driver
        .outputs()
        .into_iter()
        .map(
            |out| {
                if out.topic == "out" { text(&out.record.value.unwrap()) } else { "dead letter".to_owned() }
            },
        )
        .collect();
    // Runs are per topic: within one transaction the order between topics is not defined.
    let split = |all: &[String]| -> (Vec<String>, usize) {
        let said: Vec<_> = all.iter().filter(|said| *said != "dead letter").cloned().collect();
        let dead = all.len() - said.len();
        (said, dead)
    };
    prop_assert_eq!(split(&came), split(expected));
    let marker = driver.marker(task);
    prop_assert_eq!(marker.is_some(), model.sequence > 0);
    if let Some(marker) = marker {
        prop_assert_eq!(marker.sequence, model.sequence);
        prop_assert_eq!(marker.next_offset("left"), Some(model.offset));
        prop_assert_eq!(marker.next_offset("right"), Some(0));
        prop_assert_eq!(&marker.tallies, &vec![model.tally()]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_history_is_the_one_of_a_sorted_map(steps in prop::collection::vec(step(), 0..60)) {
        let mut driver = TestDriver::new(topology(), 1, WALL_MS).unwrap();
        let mut model = Model::default();
        for step in steps {
            let mut expected = Vec::new();
            match step {
                Step::Pipe(ops) => {
                    let value = ops.iter().map(script).collect::<Vec<_>>().join(";");
                    model.pipe(&ops);
                    let offset = driver.pipe("left", record(WALL_MS, "k", &value)).unwrap();
                    prop_assert_eq!(Some(offset), model.pending.last().map(|(offset, _)| *offset));
                    if !model.open {
                        expected = model.commit();
                    }
                }
                Step::Begin => {
                    driver.begin();
                    model.open = true;
                }
                Step::Commit => {
                    let counted = model.counted;
                    expected = model.commit();
                    let applied = driver.commit().unwrap();
                    let sum: u64 = applied.iter().map(|done| done.counters.get("counted")).sum();
                    prop_assert_eq!(sum, counted);
                }
                Step::Abort => driver.abort().unwrap(),
                Step::Crash => {
                    let next = driver.crash().unwrap();
                    model.crash();
                    prop_assert_eq!(next.get(&("left".to_owned(), 0)), Some(&model.offset));
                }
            }
            check(&mut driver, &model, &expected)?;
        }
    }
}
