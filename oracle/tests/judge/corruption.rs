//! One corrupted value in each place is found, and the difference is named.

use crate::support::bytes::{account, account_key, metadata, order, order_key, reference_key};
use crate::support::small::{P7, P10, small};
use crate::support::world::{World, differences, failed};
use crate::support::{postgres, stores};

#[tokio::test]
async fn a_corrupted_postgresql_row_is_named() {
    for (statement, parts) in [
        (
            "UPDATE accounts SET balance_fen = 801, total_credited_fen = 1101 WHERE user_id = 7",
            ["PostgreSQL accounts", "user: 7", "balance: 801", "balance: 800"],
        ),
        (
            "UPDATE orders SET amount_fen = 901 WHERE order_id = 2",
            ["PostgreSQL orders", "key: (7, 2)", "amount: 901", "amount: 900"],
        ),
        (
            "DELETE FROM orders WHERE order_id = 6",
            ["PostgreSQL orders", "absent", "key: (10, 6)", "ACCOUNT_FROZEN"],
        ),
        (
            "INSERT INTO command_rejections SELECT 0, 99, event_id, user_id, command, reason, reference, refund_id, \
             order_id, source_topic, source_partition, source_offset, occurred_at FROM command_rejections",
            ["PostgreSQL command_rejections", "at: (0, 99)", "BALANCE_NOT_ZERO", "no output led to it"],
        ),
        (
            "ALTER TABLE balance_changes DISABLE TRIGGER ALL; UPDATE balance_changes SET delta_fen = -21 \
             WHERE reference = 'w'",
            ["PostgreSQL balance_changes", "user: 10", "delta: -21", "delta: -20"],
        ),
    ] {
        let world = World::write(small()).await;
        postgres::execute(&world.url, statement.to_owned()).await;
        let report = world.judge().await;
        assert_eq!(failed(&report), ["postgres"], "{report}");
        let found = differences(&report, "postgres");
        assert_eq!(found.len(), 1, "{report}");
        assert!(parts.iter().all(|part| found[0].contains(part)), "{parts:?}: {}", found[0]);
        world.close().await;
    }
}

#[tokio::test]
async fn a_corrupted_rocksdb_value_is_named() {
    let wrong = account([801, 100, 1101, 300], 0, 4);
    let (key, early) = (account_key(7), account([701, 100, 1001, 300], 0, 3));
    for (instance, value, parts) in [
        ("two", Some(&wrong), ["two/0_1/db", "accounts, user 7", "balance: 801", "balance: 800"]),
        ("one", Some(&early), ["one/0_1/db", "accounts, user 7", "balance: 701", "balance: 700"]),
        ("two", None, ["two/0_1/db", "accounts, user 7", "found nothing", "balance: 800"]),
    ] {
        let world = World::write(small()).await;
        let dir = world.dir.path().join(instance);
        stores::spoil(&dir, &format!("0_{P7}"), &key, value.map(Vec::as_slice));
        let report = world.judge().await;
        assert_eq!(failed(&report), ["stores"], "{report}");
        let found = differences(&report, "stores");
        assert_eq!(found.len(), 1, "{report}");
        assert!(parts.iter().all(|part| found[0].contains(part)), "{parts:?}: {}", found[0]);
        world.close().await;
    }
}

#[tokio::test]
async fn an_extra_rocksdb_key_is_named() {
    let world = World::write(small()).await;
    let dir = world.dir.path().join("two");
    stores::spoil(&dir, &format!("0_{P10}"), &order_key(10, 77), Some(&order(0, 1, 0, &[])));
    let report = world.judge().await;
    assert_eq!(failed(&report), ["stores"], "{report}");
    assert!(differences(&report, "stores")[0].contains("orders, user 10, order 77: found"), "{report}");
    world.close().await;
}

#[tokio::test]
async fn a_corrupted_changelog_record_is_named() {
    let world = {
        let mut draft = small();
        let row = draft.transactions[1].rows.iter_mut().find(|row| row.1 == order_key(7, 2)).unwrap();
        row.2 = order(2, 901, 0, &[]);
        World::write(draft).await
    };
    stores::spoil(&world.dir.path().join("two"), "0_1", &order_key(7, 2), Some(&order(2, 900, 0, &[])));
    let report = world.judge().await;
    assert_eq!(failed(&report), ["balances", "stores"], "{report}");
    for (id, parts) in [
        (
            "balances",
            ["accounts.changelog-1: orders, user 7, order 2", "found OrderRow", "amount: 901", "amount: 900"],
        ),
        ("stores", ["orders, user 7, order 2", "found OrderRow", "amount: 900", "amount: 901"]),
    ] {
        let found = differences(&report, id);
        assert!(found.len() == 1 && parts.iter().all(|part| found[0].contains(part)), "{parts:?}: {found:?}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_corrupted_output_is_named() {
    let mut draft = small();
    let output = &mut draft.transactions[1].outputs[0];
    output.payload = output.payload.replace("\"balanceFen\":700", "\"balanceFen\":701");
    let world = World::write(draft).await;
    let report = world.judge().await;
    assert_eq!(failed(&report), ["outputs"], "{report}");
    let found = differences(&report, "outputs");
    let parts = [
        "account.events-1@4 from ",
        "order.events-1@2",
        "user 7, order Some(2)",
        "balance: Some(701)",
        "balance: Some(700)",
    ];
    assert!(found.len() == 1 && parts.iter().all(|part| found[0].contains(part)), "{found:?}");
    world.close().await;
}

/// Takes the marker out of a store and gives it another changelog position, as a restore that was given up leaves it.
fn unmark(world: &World, position: i64) {
    let dir = world.dir.path().join("one");
    let (app, changelog) = (&world.target.app_id, &world.target.topics.changelog);
    let heads = metadata(app, changelog, u32::try_from(P7).unwrap(), 2, position);
    stores::spoil(&dir, "0_1", &[0, 0], None);
    stores::spoil(&dir, "0_1", &[0, 0, 1], Some(&heads));
}

#[tokio::test]
async fn a_store_without_the_marker_that_its_position_claims_is_named() {
    let world = World::write(small()).await;
    unmark(&world, 4);
    let report = world.judge().await;
    assert_eq!(failed(&report), ["stores"], "{report}");
    let found = differences(&report, "stores");
    assert!(
        found.len() == 1 && found[0].contains("no marker, its position 4 claims the one at offset 3"),
        "{report}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_store_whose_restore_was_given_up_before_a_marker_is_none_the_worse() {
    let world = World::write(small()).await;
    unmark(&world, 0);
    let dir = world.dir.path().join("one");
    for key in [account_key(7), order_key(7, 1), reference_key(7, 0, "d1")] {
        stores::spoil(&dir, "0_1", &key, None);
    }
    let report = world.judge().await;
    assert_eq!(failed(&report), Vec::<&str>::new(), "{report}");
    world.close().await;
}
