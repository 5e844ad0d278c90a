//! One row per key; contradictions are found before the database sees them.

use std::sync::Arc;

use super::super::batch::{Partition, Run};
use super::*;

fn event(event_type: &str, payload: &str) -> String {
    format!(
        r#"{{"eventType":"{event_type}","eventId":"0190f3c8-0000-5000-8000-000000000001",
        "occurredAt":"2026-11-20T09:12:34.123Z",
        "source":{{"topic":"order.events","partition":0,"offset":1}},"payload":{{{payload}}}}}"#
    )
}

fn moved(event_type: &str, version: i64, delta: i64, after: i64, rest: &str) -> String {
    let payload = format!(
        r#""accountId":7,"userId":7,"accountVersion":{version},"deltaFen":{delta},"balanceAfterFen":{after},
        "currency":"CNY",{rest}"#
    );
    event(event_type, &payload)
}

fn credited(version: i64, delta: i64, after: i64) -> String {
    moved("AccountCredited", version, delta, after, r#""reference":"r""#)
}

fn debited(version: i64, delta: i64, after: i64, order: i64) -> String {
    moved("AccountDebited", version, delta, after, &format!(r#""orderId":{order}"#))
}

fn refunded(version: i64, delta: i64, after: i64, total: i64) -> String {
    let rest = format!(r#""orderId":9,"refundId":"f{version}","refundedTotalFen":{total}"#);
    moved("AccountRefunded", version, delta, after, &rest)
}

fn status(event_type: &str, version: i64) -> String {
    event(event_type, &format!(r#""accountId":7,"userId":7,"accountVersion":{version},"reason":null"#))
}

fn batch(values: &[String]) -> Batch {
    let content = Content::AccountEvents;
    let partition = Arc::new(Partition { topic: "account.events".to_owned(), number: 3, content });
    Batch::new(vec![Run::of_values(partition, 100, values)])
}

fn problem(values: &[String]) -> String {
    fold("app", &batch(values)).expect_err("must be refused").to_string()
}

#[test]
fn a_life_of_one_account_is_one_row() {
    let batch = batch(&[
        credited(1, 50, 50),
        debited(2, -20, 30, 9),
        status("AccountFrozen", 3),
        refunded(4, 5, 35, 5),
        refunded(5, 15, 50, 20),
        debited(6, -50, 0, 10),
        status("AccountClosed", 7),
    ]);
    let rows = fold("app", &batch).expect("sound");
    let account = &rows.accounts[&7];
    assert_eq!((account.first_version, account.last_version, account.offset), (1, 7, 106));
    assert_eq!((account.balance_fen, account.credited_fen, account.debited_fen), (Some(0), 70, 70));
    assert_eq!(account.status, Some(AccountStatus::Closed));
    assert!(
        account.terms.as_ref().is_some_and(|(currency, overdraft)| currency.0 == "CNY" && *overdraft == 0)
    );
    let offsets: Vec<i64> = rows.changes.iter().map(|change| change.origin.offset).collect();
    assert_eq!(offsets, [100, 101, 103, 104, 105]);
    let order = &rows.orders[&(7, 9)];
    assert!(matches!(order.decision, Some((Decision::Debited { amount_fen: 20, .. }, _))));
    assert_eq!((order.refunded_before_fen, order.refunded_fen, order.offset), (0, 20, 104));
    assert_eq!(rows.orders.len(), 2);
}

#[test]
fn an_account_met_later_carries_what_must_be_stored() {
    let batch = batch(&[refunded(8, 5, 35, 12), refunded(9, 1, 36, 13)]);
    let rows = fold("app", &batch).expect("sound");
    let account = &rows.accounts[&7];
    assert_eq!((account.first_version, account.last_version), (8, 9));
    assert!(account.terms.is_none() && account.status.is_none());
    let order = &rows.orders[&(7, 9)];
    assert!(order.decision.is_none());
    assert_eq!((order.refunded_before_fen, order.refunded_fen), (7, 13));
}

#[test]
fn contradictions_name_the_row() {
    for (values, expected) in [
        (vec![credited(1, 5, 5), credited(3, 5, 10)], "accounts 7: version 3 follows 1"),
        (vec![credited(1, 5, 5), credited(2, 5, 11)], "accounts 7: version 2: balance 5 and change 5"),
        (vec![credited(1, 5, 6)], "accounts 7: version 1: balance 0 and change 5"),
        (vec![debited(1, -5, -5, 9)], "accounts 7: version 1: balance change without account"),
        (vec![status("AccountFrozen", 1)], "accounts 7: version 1: status without account"),
        (vec![credited(1, 5, 5), debited(2, -5, 0, 9), debited(3, -1, -1, 9)], "orders 7/9: decided after"),
        (vec![refunded(4, 5, 5, 5), refunded(5, 5, 10, 9)], "orders 7/9: 4 fen refunded before, not 5"),
        (
            vec![credited(1, 5, 5), credited(2, 5, 10).replace("CNY", "USD")],
            "accounts 7: version 2: currency USD is not CNY",
        ),
        (
            vec![credited(4, i64::MAX, i64::MAX), debited(5, -i64::MAX, 0, 9), credited(6, 1, 1)],
            "accounts 7: version 6: sum of changes overflows",
        ),
    ] {
        let problem = problem(&values);
        assert!(problem.starts_with(expected), "{problem}");
        assert!(problem.contains("partition 3, offset 1"), "{problem}");
    }
}

#[test]
fn what_cannot_be_understood_is_kept_whole() {
    let garbage = "{\"eventType\":\"Acc".to_owned();
    let batch = batch(&[credited(1, 5, 5), garbage.clone(), credited(2, 5, 10)]);
    let rows = fold("app", &batch).expect("sound");
    assert_eq!(rows.accounts[&7].last_version, 2);
    let letter = &rows.letters[0];
    assert_eq!((letter.origin, &*letter.code, letter.offset), ("sink", "NOT_JSON", 101));
    assert_eq!(letter.value, Some(garbage.as_bytes()));
}

#[test]
fn a_record_the_database_refused_becomes_a_dead_letter_and_nothing_else() {
    let mut batch = batch(&[credited(1, 5, 5)]);
    batch.refused = Some("no".to_owned());
    let rows = fold("app", &batch).expect("sound");
    assert!(rows.accounts.is_empty() && rows.changes.is_empty());
    assert_eq!((&*rows.letters[0].code, &*rows.letters[0].message), ("DATABASE_REJECTED", "no"));
}
