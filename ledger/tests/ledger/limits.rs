//! Accounts at the edges of 64 bits: whatever is asked of them is done exactly, or is a dead letter `ARITHMETIC` that changes
//! nothing.

use std::collections::BTreeMap;

use millpond_ledger::{Account, AccountCodec, Currency, Fen, OrderCodec, OrderOutcome, OrderRecord, Status};
use millpond_topology::{Codec, MemoryState, changelog_key};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::bench::Bench;
use crate::compare::{compare_counts, compare_row};
use crate::input::{Input, WALL_MS, What};
use crate::model::{Effect, Model, ModelAccount, ModelOrder};

const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// Where an account and the order of its owner stand.
#[derive(Debug, Clone)]
struct Standing {
    credited: i64,
    debited: i64,
    overdraft: i64,
    status: Status,
    /// Amount and what of it went back, of an order that was debited.
    order: Option<(i64, i64)>,
}

/// A total: small, or so far from the greatest.
fn total() -> impl Strategy<Value = i64> {
    let gaps = vec![0, 1, 2, 5, 99, 100, AMOUNT_MAX - 1, AMOUNT_MAX, AMOUNT_MAX + 1];
    prop_oneof![
        1 => prop::sample::select(vec![0, 1, 100, AMOUNT_MAX]),
        3 => prop::sample::select(gaps).prop_map(|gap| i64::MAX - gap),
    ]
}

fn amount() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![1, 2, 5, 99, 100, 101, AMOUNT_MAX - 1, AMOUNT_MAX])
}

fn standing() -> impl Strategy<Value = Standing> {
    let overdraft = prop::sample::select(vec![0, 1, 100, AMOUNT_MAX]);
    let status =
        prop::sample::select(vec![Status::Open, Status::Open, Status::Open, Status::Frozen, Status::Closed]);
    let order = prop::option::weighted(0.7, (amount(), 0..=AMOUNT_MAX));
    (total(), total(), overdraft, status, order)
        .prop_map(|(credited, debited, overdraft, status, order)| Standing {
            credited,
            debited,
            overdraft,
            status,
            // All but the last fen at most, so that something is left of it.
            order: order.map(|(amount, back)| (amount, back % amount)),
        })
        .prop_filter("within its overdraft", |at| at.credited.saturating_sub(at.debited) >= -at.overdraft)
}

fn what() -> impl Strategy<Value = What> {
    let reference = "r".to_owned();
    let again = reference.clone();
    prop_oneof![
        (1u64..3, amount()).prop_map(|(order, amount)| What::Created { order, amount, currency: None }),
        Just(What::Cancelled { order: 1 }),
        amount().prop_map(|amount| What::Refund { order: 1, refund: "new".to_owned(), amount }),
        amount().prop_map(move |amount| What::Deposit {
            amount,
            currency: None,
            reference: reference.clone()
        }),
        amount().prop_map(move |amount| What::Withdraw { amount, currency: None, reference: again.clone() }),
        Just(What::Close { reason: None }),
        Just(What::Freeze { reason: None }),
    ]
}

impl Standing {
    fn stored(&self) -> MemoryState {
        let state = MemoryState::new();
        let put = |store: u16, parts: &[u64], value: Vec<u8>| {
            let mut key = Vec::new();
            changelog_key(
                store,
                &parts.iter().flat_map(|part| part.to_be_bytes()).collect::<Vec<_>>(),
                &mut key,
            );
            state.apply(&key, Some(&value));
        };
        let account = Account {
            balance: Fen::new(self.credited - self.debited),
            overdraft: Fen::new(self.overdraft),
            currency: Currency::CNY,
            status: self.status,
            version: 7,
            total_credited: Fen::new(self.credited),
            total_debited: Fen::new(self.debited),
        };
        let mut bytes = Vec::new();
        AccountCodec::new().encode(&account, &mut bytes);
        put(1, &[1], bytes);
        if let Some((amount, refunded)) = self.order {
            let (amount, refunded) = (Fen::new(amount), Fen::new(refunded));
            let record =
                OrderRecord { outcome: OrderOutcome::Debited, amount, refunded, refund_ids: self.refunds() };
            let mut bytes = Vec::new();
            OrderCodec::new().encode(&record, &mut bytes);
            put(2, &[1, 1], bytes);
        }
        state
    }

    fn refunds(&self) -> Vec<String> {
        self.order.filter(|(_, refunded)| *refunded > 0).map(|_| "old".to_owned()).into_iter().collect()
    }

    fn model(&self) -> Model {
        let mut model = Model::default();
        let account = ModelAccount {
            balance: i128::from(self.credited) - i128::from(self.debited),
            overdraft: self.overdraft.into(),
            currency: "CNY".to_owned(),
            status: match self.status {
                Status::Open => "open",
                Status::Frozen => "frozen",
                Status::Closed => "closed",
            },
            version: 7,
            credited: self.credited.into(),
            debited: self.debited.into(),
        };
        model.accounts.insert(1, account);
        if let Some((amount, refunded)) = self.order {
            let refunds = self.refunds();
            let order =
                ModelOrder { outcome: "debited", amount: amount.into(), refunded: refunded.into(), refunds };
            model.orders.insert((1, 1), order);
        }
        model
    }
}

/// Runs one input and returns what the model says of it; the ledger must do the same.
fn check(standing: &Standing, what: &What) -> Effect {
    let (state, mut model) = (standing.stored(), standing.model());
    let before = state.snapshot();
    let input = Input::new(1, what.clone());
    let effect = model.step(&input);
    let mut bench = Bench::over(state.clone(), 1, 0);
    let outputs = bench.run(input.topic(), input.record(WALL_MS)).expect("no input stops the task");
    match &effect {
        Effect::Silent => assert!(outputs.is_empty()),
        Effect::Dead(code) => {
            let header = |name: &[u8]| outputs[0].1.headers.iter().find(|(found, _)| found == name).cloned();
            let found = header(b"x-dlq-error-code").and_then(|(_, code)| code).expect("a code");
            assert_eq!((outputs[0].0.as_str(), &found[..]), ("deadletter.events", code.as_bytes()));
            let rows: BTreeMap<_, _> = state.snapshot();
            assert_eq!(rows, before, "a dead letter changes nothing");
        }
        Effect::Event(name, payload) => {
            let event: Value = serde_json::from_slice(outputs[0].1.value.as_deref().unwrap()).expect("JSON");
            assert_eq!((&event["eventType"], &event["payload"]), (&Value::from(*name), payload));
        }
    }
    assert!(outputs.len() <= 1);
    let mut stored = [0usize; 4];
    for (key, value) in state.snapshot() {
        stored[usize::from(compare_row(&model, &key, &value).0)] += 1;
    }
    compare_counts(&model, stored);
    effect
}

/// Each input, each sum that it can carry over the edge: the last step that fits, and the first that does not.
#[test]
fn every_sum_is_exact_up_to_the_edge_and_no_further() {
    let open = |credited: i64, debited: i64, overdraft: i64| Standing {
        credited,
        debited,
        overdraft,
        status: Status::Open,
        order: Some((10, 4)),
    };
    let deposit = |amount| What::Deposit { amount, currency: None, reference: "r".into() };
    let withdraw = |amount| What::Withdraw { amount, currency: None, reference: "r".into() };
    let refund = |amount| What::Refund { order: 1, refund: "new".into(), amount };
    let created = |amount| What::Created { order: 2, amount, currency: None };
    let cancelled = || What::Cancelled { order: 1 };
    let max = i64::MAX;
    let rows: Vec<(&str, Standing, What, bool)> = vec![
        ("deposit: balance and total of credits", open(max - 5, 0, 0), deposit(5), true),
        ("deposit: balance and total of credits", open(max - 5, 0, 0), deposit(6), false),
        ("deposit: total of credits, the balance is 0", open(max - 5, max - 5, 0), deposit(5), true),
        ("deposit: total of credits, the balance is 0", open(max - 5, max - 5, 0), deposit(6), false),
        ("refund: balance", open(max - 5, 0, 0), refund(5), true),
        ("refund: balance", open(max - 5, 0, 0), refund(6), false),
        ("refund: total of credits", open(max - 5, max - 5, 0), refund(6), false),
        ("cancellation: balance", open(max - 6, 0, 0), cancelled(), true),
        ("cancellation: balance", open(max - 5, 0, 0), cancelled(), false),
        ("cancellation: total of credits", open(max - 5, 100, 0), cancelled(), false),
        ("order: total of debits", open(max, max - 5, 0), created(5), true),
        ("order: total of debits, within the overdraft", open(max, max - 5, 100), created(6), false),
        ("order: balance and overdraft together", open(max - 5, 0, 5), created(1), true),
        ("order: balance and overdraft together", open(max - 5, 0, 6), created(1), false),
        ("withdrawal: total of debits", open(max, max - 5, 0), withdraw(5), true),
        ("withdrawal: total of debits, within the overdraft", open(max, max - 5, 100), withdraw(6), false),
        ("withdrawal: balance and overdraft together", open(max - 5, 0, 5), withdraw(1), true),
        ("withdrawal: balance and overdraft together", open(max - 5, 0, 6), withdraw(1), false),
        ("the lowest balance", open(0, 0, AMOUNT_MAX), created(AMOUNT_MAX), true),
    ];
    for (name, standing, what, fits) in rows {
        let effect = check(&standing, &what);
        let expected = matches!(effect, Effect::Event(..));
        assert_eq!(expected, fits, "{name}: {effect:?}");
        assert!(fits || effect == Effect::Dead("ARITHMETIC"), "{name}: {effect:?}");
    }
}

/// Goes on until each kind of input was seen often enough on both sides of the edge: how many cases that takes is a
/// matter of chance.
#[test]
fn whatever_is_asked_at_the_edge_is_done_exactly_or_not_at_all() {
    const CASES: u32 = 4_000;
    const ROUNDS_MAX: usize = 10;
    let kinds = ["OrderCreated", "OrderCancelled", "OrderRefundRequested", "DepositFunds", "WithdrawFunds"];
    let seen = std::cell::RefCell::new(BTreeMap::<(&str, bool), u32>::new());
    let rare = || {
        let times = |key| seen.borrow().get(&key).copied().unwrap_or(0);
        let keys = kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]);
        keys.map(|key| (key, times(key))).filter(|(_, times)| *times < 20).collect::<Vec<_>>()
    };
    for _ in 0..ROUNDS_MAX {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(CASES) });
        let ran = runner.run(&(standing(), what()), |(standing, what)| {
            let effect = check(&standing, &what);
            let key = (Input::new(1, what).event_type(), effect == Effect::Dead("ARITHMETIC"));
            *seen.borrow_mut().entry(key).or_default() += 1;
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{error}"));
        if rare().is_empty() {
            return;
        }
    }
    panic!("too seldom, overflow or not: {:?}, so the run is void", rare());
}
