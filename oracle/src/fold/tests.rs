//! The semantics table, row by row, and what the fold says about histories that are wrong.

use super::decide::{Effect, decide};
use super::{History, Holdings, Notes, fold_user};
use crate::code::Code;
use crate::disk::OrderOutcome;
use crate::event::{Body, Change, Currency, Event, Input, Output, Purpose, Status, Text};
use crate::place::{Names, Place, Side};
use crate::report::{Check, Findings, Outcome, Title};

const USD: Currency = Currency(*b"USD");

fn deposit(amount: i64, reference: &str) -> Body {
    Body::DepositFunds { amount, currency: None, reference: reference.into() }
}

fn withdraw(amount: i64, reference: &str) -> Body {
    Body::WithdrawFunds { amount, currency: None, reference: reference.into() }
}

fn order(order: u64, amount: i64) -> Body {
    Body::OrderCreated { order, amount, currency: None }
}

fn refund(order: u64, refund: &str, amount: i64) -> Body {
    Body::OrderRefundRequested { order, refund: refund.into(), amount }
}

fn open(overdraft: i64) -> Body {
    Body::OpenAccount { currency: Currency::DEFAULT, overdraft }
}

const CANCEL: Body = Body::OrderCancelled { order: 1 };
const FREEZE: Body = Body::FreezeAccount { reason: None };
const UNFREEZE: Body = Body::UnfreezeAccount { reason: None };
const CLOSE: Body = Body::CloseAccount { reason: None };

/// Applies all, returns what the last one led to: an event, a code, or nothing.
fn last(bodies: &[Body]) -> (Holdings, Option<Event>, Option<Code>) {
    let mut holdings = Holdings::default();
    let mut said = (None, None);
    for body in bodies {
        said = match decide(&holdings, body) {
            Effect::Silent(update) => {
                holdings.accept(update);
                (None, None)
            }
            Effect::Emit(update, event) => {
                holdings.accept(update);
                (Some(event), None)
            }
            Effect::Dead(code) => (None, Some(code)),
        };
    }
    (holdings, said.0, said.1)
}

fn reason(bodies: &[Body]) -> Text {
    match last(bodies).1 {
        Some(Event::DebitFailed { reason, .. } | Event::Rejected { reason, .. }) => reason,
        other => format!("{other:?}").into(),
    }
}

fn change(bodies: &[Body]) -> (i64, i64, u64) {
    let event = last(bodies).1;
    let change = event.as_ref().and_then(Event::change).copied();
    change
        .map(|Change { delta, balance_after, version, .. }| (delta, balance_after, version))
        .unwrap_or_default()
}

fn is_silent(bodies: &[Body]) -> bool {
    let (_, event, code) = last(bodies);
    event.is_none() && code.is_none()
}

#[test]
fn accounts_open_once() {
    assert!(matches!(last(&[open(5)]).1, Some(Event::Opened { overdraft: 5, version: 1, .. })));
    assert!(is_silent(&[open(5), open(5)]));
    assert!(is_silent(&[deposit(1, "a"), open(0)]), "a deposit creates with the default terms");
    assert_eq!(&*reason(&[open(5), open(6)]), "ACCOUNT_EXISTS");
    assert_eq!(&*reason(&[open(0), Body::OpenAccount { currency: USD, overdraft: 0 }]), "ACCOUNT_EXISTS");
}

#[test]
fn deposits_create_credit_and_repeat_silently() {
    assert_eq!(change(&[deposit(10, "a")]), (10, 10, 1));
    assert_eq!(change(&[open(0), deposit(10, "a")]), (10, 10, 2));
    assert!(is_silent(&[deposit(10, "a"), deposit(99, "a")]));
    assert_eq!(change(&[deposit(10, "a"), FREEZE, deposit(1, "b")]), (1, 11, 3));
    assert_eq!(&*reason(&[open(0), CLOSE, deposit(1, "a")]), "ACCOUNT_CLOSED");
    let dollars = Body::DepositFunds { amount: 1, currency: Some(USD), reference: "d".into() };
    assert_eq!(&*reason(&[open(0), dollars.clone()]), "CURRENCY_MISMATCH");
    assert_eq!(last(&[dollars]).0.account.map(|account| account.currency), Some(USD));
}

#[test]
fn withdrawals_are_debits_with_a_reference() {
    assert_eq!(
        change(&[deposit(10, "a"), withdraw(4, "a")]),
        (-4, 6, 2),
        "kinds have references of their own"
    );
    assert!(is_silent(&[deposit(10, "a"), withdraw(4, "w"), withdraw(4, "w")]));
    assert_eq!(&*reason(&[withdraw(4, "w")]), "ACCOUNT_NOT_FOUND");
    assert_eq!(&*reason(&[deposit(10, "a"), FREEZE, withdraw(4, "w")]), "ACCOUNT_FROZEN");
    assert_eq!(&*reason(&[open(0), CLOSE, withdraw(4, "w")]), "ACCOUNT_CLOSED");
    assert_eq!(&*reason(&[deposit(3, "a"), withdraw(4, "w")]), "INSUFFICIENT_BALANCE");
    assert_eq!(change(&[deposit(3, "a"), withdraw(4, "w"), deposit(1, "b"), withdraw(4, "w")]), (-4, 0, 3));
}

#[test]
fn statuses_change_once() {
    for (bodies, expected) in [
        (vec![FREEZE], "ACCOUNT_NOT_FOUND"),
        (vec![UNFREEZE], "ACCOUNT_NOT_FOUND"),
        (vec![CLOSE], "ACCOUNT_NOT_FOUND"),
        (vec![open(0), CLOSE, FREEZE], "ACCOUNT_CLOSED"),
        (vec![open(0), CLOSE, UNFREEZE], "ACCOUNT_CLOSED"),
        (vec![deposit(1, "a"), CLOSE], "BALANCE_NOT_ZERO"),
    ] {
        assert_eq!(&*reason(&bodies), expected);
    }
    assert!(is_silent(&[open(0), UNFREEZE]) && is_silent(&[open(0), FREEZE, FREEZE]));
    assert!(is_silent(&[open(0), CLOSE, CLOSE]));
    let closed = last(&[open(0), FREEZE, CLOSE]).1;
    assert_eq!(closed, Some(Event::Became { status: Status::Closed, reason: None, version: 3 }));
}

#[test]
fn orders_fail_for_the_first_reason_that_applies() {
    let dollars = Body::OrderCreated { order: 1, amount: 5, currency: Some(USD) };
    assert_eq!(&*reason(&[CANCEL, order(1, 5)]), "ACCOUNT_NOT_FOUND");
    assert_eq!(&*reason(&[open(0), FREEZE, CANCEL, order(1, 5)]), "ACCOUNT_FROZEN");
    assert_eq!(&*reason(&[open(0), CLOSE, CANCEL, order(1, 5)]), "ACCOUNT_CLOSED");
    assert_eq!(&*reason(&[open(0), CANCEL, dollars]), "CURRENCY_MISMATCH");
    assert_eq!(&*reason(&[open(0), CANCEL, order(1, 5)]), "ORDER_CANCELLED");
    assert_eq!(&*reason(&[open(4), order(1, 5)]), "INSUFFICIENT_BALANCE");
    assert_eq!(change(&[open(5), order(1, 5)]), (-5, -5, 2));
}

#[test]
fn an_order_has_one_outcome() {
    assert!(is_silent(&[open(5), order(1, 5), order(1, 5)]));
    assert!(is_silent(&[order(1, 5), open(5), order(1, 5)]), "a failure is remembered too");
    assert_eq!(last(&[order(1, 5), order(1, 6)]).2, Some(Code::OrderConflict));
    assert_eq!(last(&[open(9), order(1, 5), CANCEL, order(1, 6)]).2, Some(Code::OrderConflict));
    let cancelled = [open(9), CANCEL, order(1, 5)];
    assert!(is_silent(&[&cancelled[..], &[order(1, 5), CANCEL]].concat()));
    let row = last(&cancelled).0.orders.get(&1).cloned();
    assert_eq!(row.map(|row| (row.outcome, row.amount)), Some((OrderOutcome::OrderCancelled, 5)));
}

#[test]
fn cancellations_and_refunds_give_back_what_is_left_and_no_more() {
    let debited = [deposit(10, "a"), order(1, 6)];
    let after = |more: &[Body]| [&debited[..], more].concat();
    assert_eq!(change(&after(&[CANCEL])), (6, 10, 3));
    assert!(is_silent(&after(&[CANCEL, CANCEL])));
    assert_eq!(change(&after(&[refund(1, "r", 2), CANCEL])), (4, 10, 4));
    assert!(is_silent(&after(&[refund(1, "r", 6), CANCEL])), "nothing is left");
    assert!(is_silent(&after(&[refund(1, "r", 2), refund(1, "r", 9)])));
    assert_eq!(change(&after(&[refund(1, "r", 2), refund(1, "s", 4)])), (4, 10, 4));
    assert_eq!(&*reason(&after(&[refund(1, "r", 2), refund(1, "s", 5)])), "REFUND_EXCEEDS_DEBIT");
    assert_eq!(&*reason(&after(&[CANCEL, refund(1, "s", 1)])), "REFUND_EXCEEDS_DEBIT");
    assert_eq!(&*reason(&after(&[refund(2, "s", 1)])), "ORDER_NOT_DEBITED");
    assert_eq!(&*reason(&[open(0), order(1, 5), refund(1, "s", 1)]), "ORDER_NOT_DEBITED");
    assert_eq!(change(&after(&[FREEZE, CANCEL])), (6, 10, 4), "also to a frozen account");
    let spent = [deposit(6, "a"), order(1, 6), CLOSE, CANCEL];
    assert_eq!(change(&spent), (6, 6, 4), "also to a closed one");
    assert_eq!(last(&spent).0.account.map(|account| account.status), Some(Status::Closed));
}

#[test]
fn a_sum_beyond_64_bits_is_refused_whole() {
    let full = [deposit(i64::MAX, "a"), deposit(1, "b")];
    assert_eq!(last(&full).2, Some(Code::Arithmetic));
    assert_eq!(last(&[open(1), deposit(i64::MAX, "a")]).2, Some(Code::Arithmetic));
    assert!(last(&full).0.references.len() == 1);
}

// ---- whole histories ----

const NAMES: [&str; 3] = ["order.events", "account.commands", "account.events"];

fn names() -> Names {
    let [orders, commands, accounts] = NAMES.map(str::to_owned);
    Names { orders, commands, accounts }
}

fn input(side: Side, offset: i64, body: Body) -> Input {
    let place = Place { side, partition: 0, offset };
    Input { place, timestamp_ms: 1, user: 7, trace: None, dead: None, body }
}

fn output(offset: i64, source: &Input, event: Event) -> Output {
    let source = source.place;
    Output { partition: 0, offset, timestamp_ms: 1, source, user: 7, trace: None, event }
}

fn credited(amount: i64, balance_after: i64, version: u64, reference: &str) -> Event {
    let change = Change { delta: amount, balance_after, currency: Currency::DEFAULT, version };
    Event::Credited { reference: reference.into(), change }
}

fn debited(order: u64, amount: i64, balance_after: i64, version: u64) -> Event {
    let change = Change { delta: -amount, balance_after, currency: Currency::DEFAULT, version };
    Event::Debited { purpose: Purpose::Order(order), change }
}

fn fold(orders: &[Input], commands: &[Input], outputs: &[Output]) -> (Holdings, [Vec<String>; 3]) {
    let mut notes = Notes::default();
    let holdings = fold_user(History { user: 7, orders, commands, outputs }, &names(), &mut notes);
    let Notes { outcomes, outputs, dead_letters } = notes;
    (holdings, [outcomes, outputs, dead_letters].map(differences))
}

fn differences(mut findings: Findings) -> Vec<String> {
    findings.looked_at();
    let Check { outcome, .. } = findings.conclude(Title { id: "t", text: "t" }, String::new());
    match outcome {
        Outcome::Failed { differences, .. } => differences,
        _ => Vec::new(),
    }
}

#[test]
fn the_order_between_the_topics_is_that_of_the_outputs() {
    let orders = [input(Side::Orders, 0, order(1, 5)), input(Side::Orders, 1, order(2, 5))];
    let commands = [input(Side::Commands, 0, deposit(5, "a"))];
    let failed =
        Event::DebitFailed { order: 1, amount: 5, reason: "ACCOUNT_NOT_FOUND".into(), balance: None };
    let late = [
        output(0, &orders[0], failed),
        output(1, &commands[0], credited(5, 5, 1, "a")),
        output(2, &orders[1], debited(2, 5, 0, 2)),
    ];
    assert_eq!(fold(&orders, &commands, &late).1.concat(), [""; 0]);
    let short =
        Event::DebitFailed { order: 2, amount: 5, reason: "INSUFFICIENT_BALANCE".into(), balance: Some(0) };
    let early = [
        output(0, &commands[0], credited(5, 5, 1, "a")),
        output(1, &orders[0], debited(1, 5, 0, 2)),
        output(2, &orders[1], short),
    ];
    assert_eq!(fold(&orders, &commands, &early).1.concat(), [""; 0]);
}

#[test]
fn silent_inputs_fit_in_anywhere() {
    let orders = [
        input(Side::Orders, 0, CANCEL),
        input(Side::Orders, 3, order(1, 5)),
        input(Side::Orders, 4, order(1, 5)),
        input(Side::Orders, 9, CANCEL),
    ];
    let commands = [input(Side::Commands, 0, open(0)), input(Side::Commands, 2, open(0))];
    let cancelled =
        Event::DebitFailed { order: 1, amount: 5, reason: "ORDER_CANCELLED".into(), balance: Some(0) };
    let opened = Event::Opened { currency: Currency::DEFAULT, overdraft: 0, version: 1 };
    let outputs = [output(5, &commands[0], opened), output(6, &orders[1], cancelled)];
    let (holdings, found) = fold(&orders, &commands, &outputs);
    assert_eq!(found.concat(), [""; 0]);
    assert_eq!(holdings.orders.get(&1).map(|row| row.outcome), Some(OrderOutcome::OrderCancelled));
}

#[test]
fn a_lost_outcome_is_named() {
    let orders = [input(Side::Orders, 4, order(1, 5))];
    let [outcomes, outputs, _] = fold(&orders, &[], &[]).1;
    assert!(
        outcomes[0].contains("order.events-0@4") && outcomes[0].contains("user 7, order Some(1)"),
        "{outcomes:?}"
    );
    assert!(outputs.is_empty());
}

#[test]
fn a_second_outcome_a_wrong_one_and_a_wrong_field_are_named() {
    let commands = [input(Side::Commands, 0, deposit(9, "a"))];
    let orders = [input(Side::Orders, 0, order(1, 5)), input(Side::Orders, 1, order(1, 5))];
    let first = output(0, &commands[0], credited(9, 9, 1, "a"));
    let right = output(1, &orders[0], debited(1, 5, 4, 2));
    let twice = [first.clone(), right.clone(), output(2, &orders[1], debited(1, 5, -1, 3))];
    let [outcomes, _, _] = fold(&orders, &commands, &twice).1;
    assert!(outcomes.len() == 1 && outcomes[0].contains("account.events-0@2"), "{outcomes:?}");
    let failed =
        Event::DebitFailed { order: 1, amount: 5, reason: "ACCOUNT_FROZEN".into(), balance: Some(9) };
    let [outcomes, _, _] = fold(&orders, &commands, &[first.clone(), output(1, &orders[0], failed)]).1;
    assert_eq!(outcomes.len(), 1);
    let wrong = output(1, &orders[0], debited(1, 5, 3, 2));
    let [outcomes, outputs, _] = fold(&orders, &commands, &[first.clone(), wrong]).1;
    assert!(
        outcomes.is_empty() && outputs.len() == 1 && outputs[0].contains("balance_after: 3"),
        "{outputs:?}"
    );
    let moved = Output { timestamp_ms: 2, trace: Some(1), ..right.clone() };
    assert_eq!(fold(&orders, &commands, &[first.clone(), moved]).1[1].len(), 2);
    let repeated = [first, right.clone(), Output { offset: 8, ..right }];
    assert!(fold(&orders, &commands, &repeated).1[1][0].contains("already"));
}

#[test]
fn an_output_without_input_is_named() {
    let ghost = input(Side::Orders, 77, order(1, 5));
    let [_, outputs, _] = fold(&[], &[], &[output(3, &ghost, debited(1, 5, 0, 1))]).1;
    assert!(
        outputs[0].contains("account.events-0@3") && outputs[0].contains("no valid input"),
        "{outputs:?}"
    );
}

#[test]
fn dead_letters_of_the_semantics_are_judged() {
    let dead = |offset, body, code| Input { dead: Some(code), ..input(Side::Orders, offset, body) };
    let failed =
        Event::DebitFailed { order: 1, amount: 5, reason: "ACCOUNT_NOT_FOUND".into(), balance: None };
    let first = input(Side::Orders, 0, order(1, 5));
    let outputs = [output(0, &first, failed)];
    let right = [first.clone(), dead(1, order(1, 6), Code::OrderConflict)];
    assert_eq!(fold(&right, &[], &outputs).1.concat(), [""; 0]);
    let absent = [first.clone(), input(Side::Orders, 1, order(1, 6))];
    assert!(fold(&absent, &[], &outputs).1[2][0].contains("ORDER_CONFLICT expected"));
    let unfounded = [first, dead(1, order(2, 6), Code::NotJson)];
    let [outcomes, _, dead_letters] = fold(&unfounded, &[], &outputs).1;
    assert!(outcomes.len() == 1 && dead_letters[0].contains("NOT_JSON"), "{dead_letters:?}");
}

#[test]
fn an_overflow_is_accepted_where_the_other_topic_makes_it_possible() {
    let orders = [
        input(Side::Orders, 0, order(1, 5)),
        Input { dead: Some(Code::Arithmetic), ..input(Side::Orders, 1, CANCEL) },
    ];
    let commands =
        [input(Side::Commands, 0, deposit(10, "a")), input(Side::Commands, 1, deposit(i64::MAX - 10, "b"))];
    let outputs = [
        output(0, &commands[0], credited(10, 10, 1, "a")),
        output(1, &orders[0], debited(1, 5, 5, 2)),
        output(2, &commands[1], credited(i64::MAX - 10, i64::MAX - 5, 3, "b")),
    ];
    assert_eq!(fold(&orders, &commands, &outputs).1.concat(), [""; 0]);
    assert_eq!(fold(&orders, &commands[..1], &outputs[..2]).1[2].len(), 1);
}
