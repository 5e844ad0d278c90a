//! Both inputs at once: records that are dated alike, late or in order, handed over in any portions, processed in any, aborted,
//! redone in another order, restored after a crash. One order explains every committed output, and money is conserved after
//! each record of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millpond_ledger::{DEFAULT_APP_ID, Topics, topology};
use millpond_topology::{
    InputOffset, Marker, MemoryState, Now, OwnedRecord, Restored, Task, TaskId, TaskOptions,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::compare::{compare_counts, compare_row};
use crate::input::{Input, ORDERS, WALL_MS};
use crate::model::{Effect, Model};
use crate::sequences::what;

#[derive(Debug, Clone)]
enum Step {
    /// A record on its topic, dated so many ms from where the dates are.
    Push(Input, i64),
    /// An input is read to its end.
    End(usize),
    Process(usize),
    Commit,
    Rollback,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly alike or in order; the others are late, or early so that all that follow are late.
    let date = prop::sample::select(vec![0, 0, 0, 1, 1, 2, -1, -3, 5, -400]);
    prop_oneof![
        14 => (1u64..4, what(), date).prop_map(|(user, what, date)| Step::Push(Input::new(user, what), date)),
        4 => (0usize..2).prop_map(Step::End),
        6 => (1usize..6).prop_map(Step::Process),
        3 => Just(Step::Commit),
        2 => Just(Step::Rollback),
        1 => Just(Step::Crash),
    ]
}

struct Waiting {
    input: Input,
    record: OwnedRecord,
}

/// What a run came across, so that a test knows that it tested something.
#[derive(Debug, Default)]
struct Seen {
    /// Event types with their reasons, and the codes of dead letters.
    results: BTreeSet<String>,
    /// Choices between two inputs whose next records are dated alike.
    ties: u64,
    /// Records dated before one that was processed already.
    late: u64,
    /// Redos in another order than what they repeat.
    reordered: u64,
}

/// A task of one partition with the model beside it.
struct Both<'s> {
    task: Task<OwnedRecord>,
    state: MemoryState,
    marker: Option<Marker>,
    model: Model,
    committed: Model,
    /// Records from the last commit on; the first `taken` are processed.
    queues: [VecDeque<Waiting>; 2],
    taken: [usize; 2],
    ended: [bool; 2],
    next: [i64; 2],
    date: i64,
    latest: i64,
    /// What the open transaction must bring: input, offset, effect.
    wanted: Vec<(usize, i64, Effect)>,
    /// The order that the last rollback undid.
    undone: Vec<(usize, i64)>,
    seen: &'s mut Seen,
}

fn task(state: &MemoryState, marker: Option<Marker>) -> Task<OwnedRecord> {
    let topology = topology(DEFAULT_APP_ID, &Topics::default()).expect("a valid topology");
    let sub = topology.sub_topology(0).expect("the one sub-topology");
    let restored = marker.map_or_else(
        || Restored {
            inputs: sub
                .inputs()
                .map(|(_, topic)| InputOffset { topic: topic.to_owned(), topic_id: [0; 16], next_offset: 0 })
                .collect(),
            sequence: 0,
            stream_time_ms: -1,
            punctuations: Vec::new(),
            tallies: Vec::new(),
        },
        Restored::from,
    );
    let options = TaskOptions {
        app: DEFAULT_APP_ID.to_owned(),
        input_partitions: 1,
        sink_partitions: vec![1, 1],
        timestamp_max_ahead_ms: 24 * 60 * 60 * 1000,
        dead_letter_value_bytes_max: 65_536,
        held_bytes_max: 4096,
    };
    Task::new(TaskId::new(0, 0), sub, options, &restored, Box::new(state.clone())).expect("a task")
}

impl<'s> Both<'s> {
    fn new(seen: &'s mut Seen) -> Self {
        let state = MemoryState::new();
        Self {
            task: task(&state, None),
            state,
            marker: None,
            model: Model::default(),
            committed: Model::default(),
            queues: [VecDeque::new(), VecDeque::new()],
            taken: [0; 2],
            ended: [false; 2],
            next: [0; 2],
            date: 0,
            latest: i64::MIN,
            wanted: Vec::new(),
            undone: Vec::new(),
            seen,
        }
    }

    fn index_of(&self, topic: &str) -> usize {
        self.task.input_topics().position(|known| known == topic).expect("an input")
    }

    fn push(&mut self, input: Input, date: i64) {
        self.date += date.max(0);
        let mut record = input.record(WALL_MS + self.date + date.min(0));
        let index = self.index_of(input.topic());
        record.offset = self.next[index];
        self.next[index] += 1;
        self.task.push(index, record.clone());
        self.queues[index].push_back(Waiting { input, record });
        self.ended[index] = false;
    }

    fn end(&mut self, index: usize) {
        self.task.reached_end(index, self.next[index]);
        self.ended[index] = true;
    }

    /// Returns the input that is next by the rule: the earlier date, of two alike the first input's; none while one is empty
    /// and may have more.
    fn predicted(&mut self) -> Option<usize> {
        let dates = [0, 1].map(|at| self.queues[at].get(self.taken[at]).map(|next| next.record.timestamp_ms));
        match dates {
            [Some(first), Some(second)] => {
                self.seen.ties += u64::from(first == second);
                Some(usize::from(second < first))
            }
            [Some(_), None] => self.ended[1].then_some(0),
            [None, Some(_)] => self.ended[0].then_some(1),
            [None, None] => None,
        }
    }

    fn process(&mut self) -> bool {
        let predicted = self.predicted();
        let now = Now::new(std::time::Duration::ZERO, WALL_MS);
        let processed = self.task.process(now, 1).expect("processed");
        assert_eq!(processed, usize::from(predicted.is_some()), "{predicted:?}");
        let Some(at) = predicted else { return false };
        let Waiting { input, record } = &self.queues[at][self.taken[at]];
        self.seen.late += u64::from(record.timestamp_ms < self.latest);
        self.latest = self.latest.max(record.timestamp_ms);
        let effect = self.model.step(input);
        if let Effect::Dead(code) = &effect {
            self.seen.results.insert((*code).to_owned());
        }
        if let Effect::Event(name, payload) = &effect {
            self.seen.results.insert(format!("{name} {}", payload["reason"].as_str().unwrap_or_default()));
        }
        if self.undone.get(self.wanted.len()).is_some_and(|undone| *undone != (at, record.offset)) {
            self.seen.reordered += 1;
            self.undone.clear();
        }
        self.wanted.push((at, record.offset, effect));
        self.taken[at] += 1;
        let [balance, credited, debited] = self.sums();
        assert_eq!(balance, credited - debited, "money is conserved after every record");
        true
    }

    fn sums(&self) -> [i128; 3] {
        self.model.accounts.values().fold([0; 3], |[balance, credited, debited], account| {
            assert_eq!(account.balance, account.credited - account.debited);
            [balance + account.balance, credited + account.credited, debited + account.debited]
        })
    }

    fn commit(&mut self) {
        if !self.task.is_dirty() {
            return;
        }
        let sums = self.sums();
        let sealed = self.task.seal();
        let mut outputs: BTreeMap<String, VecDeque<OwnedRecord>> = BTreeMap::new();
        for (topic, _, run) in sealed.outputs() {
            let records = run.iter().map(|view| OwnedRecord {
                offset: 0,
                timestamp_ms: view.timestamp_ms(),
                key: view.key().map(<[u8]>::to_vec),
                value: view.value().map(<[u8]>::to_vec),
                headers: view
                    .headers()
                    .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                    .collect(),
            });
            outputs.entry(topic.to_owned()).or_default().extend(records);
        }
        let tally = &sealed.marker().tallies[0];
        assert_eq!((tally.live_keys, &tally.sums[..]), (self.model.accounts.len() as u64, &sums[..]));
        self.marker = Some(sealed.marker().clone());
        for (key, value) in sealed.images() {
            self.state.apply(key, value);
        }
        self.task.apply().expect("applied");
        for (at, offset, effect) in std::mem::take(&mut self.wanted) {
            self.compare(at, offset, &effect, &mut outputs);
        }
        assert!(outputs.values().all(VecDeque::is_empty), "no output too many: {outputs:?}");
        for (queue, taken) in self.queues.iter_mut().zip(&mut self.taken) {
            queue.drain(..std::mem::take(taken));
        }
        self.committed = self.model.clone();
        self.undone.clear();
    }

    /// Compares what the next record of a topic says with what this input must lead to.
    fn compare(
        &self,
        at: usize,
        offset: i64,
        effect: &Effect,
        outputs: &mut BTreeMap<String, VecDeque<OwnedRecord>>,
    ) {
        let topic = self.task.input_topics().nth(at).expect("an input");
        let mut next = |topic: &str| outputs.get_mut(topic).and_then(VecDeque::pop_front).expect("an output");
        match effect {
            Effect::Silent => {}
            Effect::Dead(code) => {
                let letter = next("deadletter.events");
                let said = |name: &[u8]| {
                    let found = letter.headers.iter().find(|(found, _)| found == name);
                    String::from_utf8(found.and_then(|(_, value)| value.clone()).unwrap_or_default())
                        .expect("text")
                };
                assert_eq!(said(b"x-dlq-error-code"), *code);
                let source = (said(b"__streams.errors.topic"), said(b"__streams.errors.offset"));
                assert_eq!(source, (topic.to_owned(), offset.to_string()));
            }
            Effect::Event(name, payload) => {
                let event = next("account.events");
                let found: Value = serde_json::from_slice(event.value.as_deref().unwrap()).expect("JSON");
                let source = (&found["source"]["topic"], &found["source"]["offset"]);
                assert_eq!(source, (&Value::from(topic), &Value::from(offset)));
                assert_eq!((&found["eventType"], &found["payload"]), (&Value::from(*name), payload));
            }
        }
    }

    fn forget(&mut self) {
        self.undone = self.wanted.drain(..).map(|(at, offset, _)| (at, offset)).collect();
        self.taken = [0; 2];
        self.model = self.committed.clone();
    }

    fn crash(&mut self) {
        self.forget();
        self.task = task(&self.state, self.marker.clone());
        self.ended = [false; 2];
        for (index, queue) in self.queues.iter().enumerate() {
            for waiting in queue {
                self.task.push(index, waiting.record.clone());
            }
        }
    }

    fn finish(mut self) {
        (0..2).for_each(|index| self.end(index));
        while self.process() {}
        self.commit();
        assert!(self.queues.iter().all(VecDeque::is_empty), "everything is processed");
        let mut stored = [0usize; 4];
        for (key, value) in self.state.snapshot() {
            stored[usize::from(compare_row(&self.model, &key, &value).0)] += 1;
        }
        compare_counts(&self.model, stored);
    }
}

fn play(steps: Vec<Step>, seen: &mut Seen) {
    let mut both = Both::new(seen);
    for step in steps {
        match step {
            Step::Push(input, date) => both.push(input, date),
            Step::End(index) => both.end(index),
            Step::Process(records) => {
                for _ in 0..records {
                    both.process();
                }
            }
            Step::Commit => both.commit(),
            Step::Rollback => {
                both.task.rollback();
                both.forget();
            }
            Step::Crash => both.crash(),
        }
    }
    both.finish();
}

/// Every event and every reason of the contract, and the dead letters that these inputs can become.
const RESULTS: &[&str] = &[
    "AccountClosed ",
    "AccountClosed fraud \"x\" \\ y",
    "AccountCredited ",
    "AccountDebited ",
    "AccountFrozen ",
    "AccountOpened ",
    "AccountRefunded ",
    "AccountUnfrozen ",
    "CommandRejected ACCOUNT_CLOSED",
    "CommandRejected ACCOUNT_EXISTS",
    "CommandRejected ACCOUNT_FROZEN",
    "CommandRejected ACCOUNT_NOT_FOUND",
    "CommandRejected BALANCE_NOT_ZERO",
    "CommandRejected CURRENCY_MISMATCH",
    "CommandRejected INSUFFICIENT_BALANCE",
    "CommandRejected ORDER_NOT_DEBITED",
    "CommandRejected REFUND_EXCEEDS_DEBIT",
    "DUPLICATE_FIELD",
    "DebitFailed ACCOUNT_CLOSED",
    "DebitFailed ACCOUNT_FROZEN",
    "DebitFailed ACCOUNT_NOT_FOUND",
    "DebitFailed CURRENCY_MISMATCH",
    "DebitFailed INSUFFICIENT_BALANCE",
    "DebitFailed ORDER_CANCELLED",
    "KEY_MISMATCH",
    "NOT_AN_OBJECT",
    "NOT_JSON",
    "ORDER_CONFLICT",
];

#[test]
fn both_inputs_are_merged_by_their_dates_and_money_is_conserved_after_every_record() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(1_000) });
    let seen = std::cell::RefCell::new(Seen::default());
    let steps = prop::collection::vec(step(), 0..160);
    let ran = runner.run(&steps, |steps| {
        play(steps, &mut seen.borrow_mut());
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    let missing: Vec<_> = RESULTS.iter().filter(|result| !seen.results.contains(**result)).collect();
    assert!(missing.is_empty(), "never came: {missing:?}, so the run is void");
    assert!(seen.ties > 1_000 && seen.late > 1_000 && seen.reordered > 20, "void: {seen:?}");
}

#[test]
fn of_records_dated_alike_the_first_inputs_come_first() {
    let mut seen = Seen::default();
    let mut both = Both::new(&mut seen);
    let order = Input::new(1, crate::input::What::Created { order: 1, amount: 5, currency: None });
    let (amount, currency, reference) = (5, None, "r".to_owned());
    let deposit = Input::new(1, crate::input::What::Deposit { amount, currency, reference });
    both.push(order, 0);
    both.push(deposit, 0);
    (0..2).for_each(|index| both.end(index));
    assert!(both.process() && both.process());
    let first = both.task.input_topics().next().map(str::to_owned);
    let names: Vec<_> = both.wanted.iter().map(|(at, _, effect)| (*at, format!("{effect:?}"))).collect();
    assert_eq!((names[0].0, names[1].0), (0, 1));
    // Which of the two it is decides about the order's fate.
    let is_debited = names.iter().any(|(_, effect)| effect.contains("AccountDebited"));
    assert_eq!(is_debited, first.as_deref() != Some(ORDERS));
    both.finish();
}
