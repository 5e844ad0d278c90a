//! Speed: as many orders as `MILLPOND_TEST_ORACLE_ORDERS` says (2,000 unless told otherwise).

use std::time::{Duration, Instant};

use crate::support::bytes::{account, account_key, order, order_key, reference, reference_key};
use crate::support::draft::{COMMANDS, Draft, Input, Mark, ORDERS, Output, Transaction, event};
use crate::support::world::World;

const USERS: u64 = 500;
const SEED_FEN: i64 = 1_000_000_000;

/// Every user funds an account and then buys for 10 fen, over and over.
fn draft(orders_per_user: u64) -> Draft {
    let mut draft = Draft::new(1);
    let mut transaction = Transaction::default();
    let (mut commands, mut orders) = (0_i64, 0_i64);
    for user in 1..=USERS {
        let deposit = format!(r#"{{"userId":{user},"amountFen":{SEED_FEN},"reference":"seed"}}"#);
        let credited = format!(
            r#"{{"accountId":{user},"userId":{user},"reference":"seed","deltaFen":{SEED_FEN},"balanceAfterFen":{SEED_FEN},"currency":"CNY","accountVersion":1}}"#
        );
        draft.inputs.push(input(COMMANDS, user, event("DepositFunds", &deposit)));
        transaction.outputs.push(output(user, "AccountCredited", (COMMANDS, commands), credited));
        commands += 1;
        transaction.rows.push((0, reference_key(user, 0, "seed"), reference(SEED_FEN)));
    }
    for nth in 1..=orders_per_user {
        for user in 1..=USERS {
            let payload = format!(
                r#"{{"orderId":{nth},"orderNo":"ORDER-{user}-{nth}","userId":{user},"amountFen":10,"currency":"CNY","items":[{{"sku":"A-1","qty":1,"priceFen":10}}],"idempotencyKey":"key-{user}-{nth}"}}"#
            );
            let (balance, version) = (SEED_FEN - 10 * i64::try_from(nth).unwrap(), nth + 1);
            let debited = format!(
                r#"{{"accountId":{user},"userId":{user},"orderId":{nth},"deltaFen":-10,"balanceAfterFen":{balance},"currency":"CNY","accountVersion":{version}}}"#
            );
            draft.inputs.push(input(ORDERS, user, event("OrderCreated", &payload)));
            transaction.outputs.push(output(user, "AccountDebited", (ORDERS, orders), debited));
            orders += 1;
            transaction.rows.push((0, order_key(user, nth), order(0, 10, 0, &[])));
            let debited = SEED_FEN - balance;
            let row = account([balance, 0, SEED_FEN, debited], 0, version);
            transaction.rows.push((0, account_key(user), row));
        }
    }
    let (users, spent) = (i128::from(USERS), i128::from(orders) * 10);
    let credited = users * i128::from(SEED_FEN);
    let sums = [credited - spent, credited, spent];
    transaction.marks.insert(0, Mark { orders, commands, live_accounts: USERS, sums });
    draft.transactions.push(transaction);
    draft
}

fn input(topic: &'static str, user: u64, value: String) -> Input {
    Input { topic, partition: 0, user, value, headers: Vec::new() }
}

fn output(user: u64, kind: &'static str, source: (&'static str, i64), payload: String) -> Output {
    Output { partition: 0, user, kind, source, payload }
}

#[tokio::test]
async fn judging_is_fast() {
    let orders: u64 =
        std::env::var("MILLPOND_TEST_ORACLE_ORDERS").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000);
    let world = World::write(draft(orders.div_ceil(USERS))).await;
    let begun = Instant::now();
    let report = world.judge().await;
    let took = begun.elapsed();
    assert!(report.passed(), "{report}");
    println!("{orders} orders judged in {took:.1?}\n{report}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    world.close().await;
}
