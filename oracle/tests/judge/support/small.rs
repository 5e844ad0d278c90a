//! A small history with every kind of outcome: user 7 on one partition, user 10 on the other.

use super::bytes::{account, account_key, order, order_key, reference, reference_key};
use super::draft::{COMMANDS, Draft, Input, Letter, Mark, ORDERS, Output, Transaction, event};

/// Partition of user 7 among 2.
pub(crate) const P7: i32 = 1;
/// Partition of user 10 among 2.
pub(crate) const P10: i32 = 0;

fn partition_of(user: u64) -> i32 {
    if user == 7 { P7 } else { P10 }
}

fn input(topic: &'static str, user: u64, kind: &str, payload: &str) -> Input {
    let headers = vec![("traceparent".to_owned(), format!("trace of {kind}"))];
    Input { topic, partition: partition_of(user), user, value: event(kind, payload), headers }
}

fn output(user: u64, kind: &'static str, source: (&'static str, i64), payload: &str) -> Output {
    Output { partition: partition_of(user), user, kind, source, payload: payload.to_owned() }
}

/// Returns the history; all its numbers are computed by hand.
pub(crate) fn small() -> Draft {
    let mut draft = Draft::new(2);
    draft.inputs = inputs();
    draft.transactions = vec![first(), second()];
    draft
}

fn inputs() -> Vec<Input> {
    let order = |user, order, amount| {
        let payload =
            format!(r#"{{"orderId":{order},"orderNo":"N{order}","userId":{user},"amountFen":{amount}}}"#);
        input(ORDERS, user, "OrderCreated", &payload)
    };
    let deposit7 = r#"{"userId":7,"amountFen":1000,"reference":"d1"}"#;
    let refund = r#"{"orderId":1,"userId":7,"refundId":"r1","amountFen":100}"#;
    let broken = Input { value: "not JSON".to_owned(), ..input(ORDERS, 7, "", "") };
    vec![
        input(COMMANDS, 7, "OpenAccount", r#"{"userId":7,"overdraftFen":100}"#),
        input(COMMANDS, 7, "DepositFunds", deposit7),
        input(COMMANDS, 7, "DepositFunds", deposit7),
        order(7, 1, 300),
        order(7, 1, 300),
        order(7, 2, 900),
        input(ORDERS, 7, "OrderRefundRequested", refund),
        broken,
        order(7, 1, 301),
        input(ORDERS, 7, "OrderCancelled", r#"{"orderId":9,"userId":7}"#),
        input(COMMANDS, 10, "DepositFunds", r#"{"userId":10,"amountFen":50,"reference":"x"}"#),
        input(COMMANDS, 10, "WithdrawFunds", r#"{"userId":10,"amountFen":20,"reference":"w"}"#),
        input(COMMANDS, 10, "FreezeAccount", r#"{"userId":10,"reason":"fraud"}"#),
        input(COMMANDS, 10, "CloseAccount", r#"{"userId":10}"#),
        order(10, 5, 10),
        order(10, 6, 10),
        input(ORDERS, 10, "OrderPaid", r#"{"userId":10,"orderId":6}"#),
    ]
}

/// Accounts come into being; user 10's first order came before the account.
fn first() -> Transaction {
    let opened = r#"{"accountId":7,"userId":7,"currency":"CNY","overdraftFen":100,"accountVersion":1}"#;
    let credited7 = r#"{"accountId":7,"userId":7,"reference":"d1","deltaFen":1000,"balanceAfterFen":1000,"currency":"CNY","accountVersion":2}"#;
    let debited7 = r#"{"accountId":7,"userId":7,"orderId":1,"deltaFen":-300,"balanceAfterFen":700,"currency":"CNY","accountVersion":3}"#;
    let failed10 =
        r#"{"userId":10,"orderId":5,"amountFen":10,"reason":"ACCOUNT_NOT_FOUND","balanceFen":null}"#;
    let credited10 = r#"{"accountId":10,"userId":10,"reference":"x","deltaFen":50,"balanceAfterFen":50,"currency":"CNY","accountVersion":1}"#;
    Transaction {
        outputs: vec![
            output(7, "AccountOpened", (COMMANDS, 0), opened),
            output(7, "AccountCredited", (COMMANDS, 1), credited7),
            output(7, "AccountDebited", (ORDERS, 0), debited7),
            output(10, "DebitFailed", (ORDERS, 0), failed10),
            output(10, "AccountCredited", (COMMANDS, 0), credited10),
        ],
        letters: Vec::new(),
        rows: vec![
            (P7, account_key(7), account([700, 100, 1000, 300], 0, 3)),
            (P7, order_key(7, 1), order(0, 300, 0, &[])),
            (P7, reference_key(7, 0, "d1"), reference(1000)),
            (P10, account_key(10), account([50, 0, 50, 0], 0, 1)),
            (P10, order_key(10, 5), order(1, 10, 0, &[])),
            (P10, reference_key(10, 0, "x"), reference(50)),
        ],
        marks: [
            (P7, Mark { orders: 1, commands: 2, live_accounts: 1, sums: [700, 1000, 300] }),
            (P10, Mark { orders: 1, commands: 1, live_accounts: 1, sums: [50, 50, 0] }),
        ]
        .into(),
    }
}

/// The rest: a failure, a refund, a freeze, a rejection, two dead letters, and what is silent.
fn second() -> Transaction {
    let failed7 =
        r#"{"userId":7,"orderId":2,"amountFen":900,"reason":"INSUFFICIENT_BALANCE","balanceFen":700}"#;
    let refunded7 = r#"{"accountId":7,"userId":7,"orderId":1,"refundId":"r1","deltaFen":100,"balanceAfterFen":800,"refundedTotalFen":100,"currency":"CNY","accountVersion":4}"#;
    let debited10 = r#"{"accountId":10,"userId":10,"reference":"w","deltaFen":-20,"balanceAfterFen":30,"currency":"CNY","accountVersion":2}"#;
    let frozen10 = r#"{"accountId":10,"userId":10,"reason":"fraud","accountVersion":3}"#;
    let rejected10 = r#"{"userId":10,"command":"CloseAccount","reason":"BALANCE_NOT_ZERO"}"#;
    let failed10 = r#"{"userId":10,"orderId":6,"amountFen":10,"reason":"ACCOUNT_FROZEN","balanceFen":30}"#;
    Transaction {
        outputs: vec![
            output(7, "DebitFailed", (ORDERS, 2), failed7),
            output(7, "AccountRefunded", (ORDERS, 3), refunded7),
            output(10, "AccountDebited", (COMMANDS, 1), debited10),
            output(10, "AccountFrozen", (COMMANDS, 2), frozen10),
            output(10, "DebitFailed", (ORDERS, 1), failed10),
            output(10, "CommandRejected", (COMMANDS, 3), rejected10),
        ],
        letters: vec![
            Letter { partition: P7, source: (ORDERS, 4), code: "NOT_JSON" },
            Letter { partition: P7, source: (ORDERS, 5), code: "ORDER_CONFLICT" },
        ],
        rows: vec![
            (P7, account_key(7), account([800, 100, 1100, 300], 0, 4)),
            (P7, order_key(7, 1), order(0, 300, 100, &["r1"])),
            (P7, order_key(7, 2), order(2, 900, 0, &[])),
            (P7, order_key(7, 9), order(7, 0, 0, &[])),
            (P10, account_key(10), account([30, 0, 50, 20], 1, 3)),
            (P10, order_key(10, 6), order(3, 10, 0, &[])),
            (P10, reference_key(10, 1, "w"), reference(20)),
        ],
        marks: [
            (P7, Mark { orders: 7, commands: 3, live_accounts: 1, sums: [800, 1100, 300] }),
            (P10, Mark { orders: 3, commands: 4, live_accounts: 1, sums: [30, 50, 20] }),
        ]
        .into(),
    }
}
