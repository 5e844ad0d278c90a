//! Edges: 64 bits, state that cannot be, what is counted.

use millpond_ledger::{
    Account, AccountCodec, COUNTERS, Currency, Fen, OrderCodec, OrderOutcome, OrderRecord, Status,
};
use millpond_topology::{Codec, MemoryState, ProcessError, TaskError, changelog_key};

use crate::bench::Bench;
use crate::input::{Input, What};
use crate::run::Run;
use crate::sequences::fill;

fn deposit(amount: i64, reference: &str) -> Input {
    Input::new(1, What::Deposit { amount, currency: None, reference: reference.to_owned() })
}

fn created(order: u64, amount: i64) -> Input {
    Input::new(1, What::Created { order, amount, currency: None })
}

#[test]
pub(crate) fn an_overflow_is_a_dead_letter_and_changes_nothing() {
    let mut run = Run::new();
    run.pipe(&Input::new(1, What::Open { currency: None, overdraft: Some(5) }));
    run.pipe(&deposit(500, "first"));
    run.pipe(&created(1, 100));
    fill(&mut run);
    run.pipe(&deposit(372_036_854_775_307, "brim"));
    let full = run.stored_account(1);
    run.pipe(&deposit(1, "over"));
    run.pipe(&Input::new(1, What::Cancelled { order: 1 }));
    run.pipe(&Input::new(1, What::Refund { order: 1, refund: "r".into(), amount: 1 }));
    assert_eq!(run.stored_account(1), full, "no overflow changed the account");
    assert!(full.is_some());
    run.pipe(&created(2, 94));
    run.pipe(&created(2, 1_000));
    run.finish();
}

/// Stores `account` and `order` as they are and returns what a debit makes of them.
fn with_stored(account: &Account, order: Option<&OrderRecord>, input: &Input) -> Result<(), TaskError> {
    let state = MemoryState::new();
    let put = |store: u16, parts: &[u64], value: &dyn Fn(&mut Vec<u8>)| {
        let (mut key, mut bytes) = (Vec::new(), Vec::new());
        changelog_key(store, &parts.iter().flat_map(|part| part.to_be_bytes()).collect::<Vec<_>>(), &mut key);
        value(&mut bytes);
        state.apply(&key, Some(&bytes));
    };
    put(1, &[1], &|out| AccountCodec::new().encode(account, out));
    if let Some(order) = order {
        put(2, &[1, 1], &|out| OrderCodec::new().encode(order, out));
    }
    Bench::over(state, 1, 0).run(input.topic(), input.record(0)).map(drop)
}

#[test]
fn a_stored_record_that_cannot_be_stops_the_task() {
    let sound = Account {
        balance: Fen::new(100),
        overdraft: Fen::ZERO,
        currency: Currency::CNY,
        status: Status::Open,
        version: 3,
        total_credited: Fen::new(150),
        total_debited: Fen::new(50),
    };
    assert_eq!(with_stored(&sound, None, &created(1, 10)), Ok(()));
    let stopped = |result: Result<(), TaskError>| match result {
        Err(TaskError::Record { source: ProcessError::Stop { message }, .. }) => message,
        other => panic!("{other:?}"),
    };
    for broken in [
        Account { balance: Fen::new(101), ..sound },
        Account { version: 0, ..sound },
        Account { overdraft: Fen::new(-1), ..sound },
        Account { total_credited: Fen::new(i64::MIN), ..sound },
    ] {
        for input in [created(1, 10), deposit(1, "r"), Input::new(1, What::Freeze { reason: None })] {
            let message = stopped(with_stored(&broken, None, &input));
            assert!(message.contains("the stored account of user 1 is impossible"), "{message}");
        }
    }
    let order = |outcome, refunded| OrderRecord {
        outcome,
        amount: Fen::new(10),
        refunded: Fen::new(refunded),
        refund_ids: Vec::new(),
    };
    for broken in [order(OrderOutcome::Debited, 11), order(OrderOutcome::AccountFrozen, 1)] {
        let message = stopped(with_stored(&sound, Some(&broken), &created(1, 10)));
        assert!(message.contains("a stored order of user 1 is impossible"), "{message}");
    }
    let unowned = order(OrderOutcome::Debited, 0);
    let cancel = Input::new(2, What::Cancelled { order: 1 });
    assert_eq!(with_stored(&sound, Some(&unowned), &cancel), Ok(()), "another user's order is not touched");
}

#[test]
pub(crate) fn every_input_counts_once_under_its_name() {
    let on = |user: u64, what: What| Input::new(user, what);
    let order = |order: u64, amount: i64, currency| What::Created { order, amount, currency };
    let inputs = [
        (on(1, order(1, 5, None)), "debits_account_not_found"),
        (on(1, What::Cancelled { order: 1 }), "cancellations_without_effect"),
        (on(1, What::Freeze { reason: None }), "rejected_account_not_found"),
        (on(1, What::Open { currency: None, overdraft: None }), "accounts_opened"),
        (on(1, What::Open { currency: Some("CNY"), overdraft: Some(0) }), "duplicates"),
        (on(1, What::Open { currency: Some("USD"), overdraft: None }), "rejected_account_exists"),
        (deposit(100, "d"), "deposits_applied"),
        (deposit(7, "d"), "duplicates"),
        (on(1, What::Withdraw { amount: 10, currency: None, reference: "d".into() }), "withdrawals_applied"),
        (
            on(1, What::Withdraw { amount: 91, currency: None, reference: "w".into() }),
            "rejected_insufficient_balance",
        ),
        (
            on(1, What::Withdraw { amount: 1, currency: Some("USD"), reference: "w".into() }),
            "rejected_currency_mismatch",
        ),
        (on(1, order(2, 91, None)), "debits_insufficient_balance"),
        (on(1, order(3, 1, Some("USD"))), "debits_currency_mismatch"),
        (on(1, order(4, 30, Some("CNY"))), "debits_succeeded"),
        (on(1, order(4, 30, None)), "duplicates"),
        (on(1, What::Paid { order: 4 }), "orders_paid_ignored"),
        (on(1, What::Refund { order: 4, refund: "r".into(), amount: 31 }), "rejected_refund_exceeds_debit"),
        (on(1, What::Refund { order: 4, refund: "r".into(), amount: 10 }), "refunds_applied"),
        (on(1, What::Refund { order: 4, refund: "r".into(), amount: 10 }), "duplicates"),
        (on(1, What::Refund { order: 3, refund: "r".into(), amount: 10 }), "rejected_order_not_debited"),
        (on(1, What::Cancelled { order: 4 }), "cancellations_refunded"),
        (on(1, What::Cancelled { order: 4 }), "duplicates"),
        (on(1, What::Cancelled { order: 5 }), "cancellations_remembered"),
        (on(1, order(5, 1, None)), "debits_order_cancelled"),
        (on(1, What::Close { reason: None }), "rejected_balance_not_zero"),
        (on(1, What::Freeze { reason: None }), "accounts_frozen"),
        (on(1, order(6, 1, None)), "debits_account_frozen"),
        (
            on(1, What::Withdraw { amount: 1, currency: None, reference: "w".into() }),
            "rejected_account_frozen",
        ),
        (on(1, What::Unfreeze { reason: None }), "accounts_unfrozen"),
        (on(1, What::Withdraw { amount: 90, currency: None, reference: "w".into() }), "withdrawals_applied"),
        (on(1, What::Close { reason: None }), "accounts_closed"),
        (on(1, order(7, 1, None)), "debits_account_closed"),
        (deposit(1, "late"), "rejected_account_closed"),
    ];
    let mut run = Run::new();
    let mut seen = std::collections::BTreeSet::new();
    for (input, name) in &inputs {
        run.begin();
        run.pipe(input);
        let counts: Vec<_> = run.commit().into_iter().collect();
        assert_eq!(counts, [(*name, 1)], "{input:?}");
        seen.insert(*name);
    }
    assert_eq!(seen, COUNTERS.iter().copied().collect(), "every name of the list is used");
    run.finish();
}
