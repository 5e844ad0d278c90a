//! A sound world passes, whole and in its parts.

use millpond_oracle::Outcome;

use crate::support::draft::{COMMANDS, Draft, Input, event};
use crate::support::small::{P7, P10, small};
use crate::support::stores;
use crate::support::world::{World, failed};

fn one_more_deposit(draft: &mut Draft) {
    let value = event("DepositFunds", r#"{"userId":7,"amountFen":5,"reference":"d2"}"#);
    draft.inputs.push(Input { topic: COMMANDS, partition: P7, user: 7, value, headers: Vec::new() });
}

#[tokio::test]
async fn a_sound_world_passes_every_check() {
    let world = World::write(small()).await;
    let report = world.judge().await;
    assert!(report.passed(), "{report}");
    let figure = |id| report.check(id).unwrap().figure.clone();
    assert_eq!(report.checks.len(), 11);
    assert_eq!(figure("outcomes"), "1 debited, 3 failed");
    assert_eq!(report.check("outcomes").unwrap().checked, 4);
    assert_eq!(figure("balances"), "2 accounts, 5 orders, 3 references, 830 fen");
    assert_eq!(figure("money"), "830 fen = 1150 credited - 320 debited");
    assert_eq!(figure("dead-letters"), "2 bad of 17 records");
    assert_eq!(figure("postgres"), "2 accounts, 4 orders, 5 balance changes, 1 rejections");
    assert_eq!(figure("sink"), "2 dead letters, 0 records behind");
    assert_eq!(report.lag, 0);
    world.close().await;
}

#[tokio::test]
async fn what_is_not_processed_yet_is_lag_and_no_difference() {
    let mut draft = small();
    one_more_deposit(&mut draft);
    let world = World::write(draft).await;
    let report = world.judge().await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.lag, 1);
    assert!(report.check("offsets").unwrap().figure.contains("1 records not yet processed"));
    world.close().await;
}

#[tokio::test]
async fn a_check_without_its_source_does_not_pass() {
    let mut world = World::write(small()).await;
    world.target.postgres_url = None;
    world.target.state_dirs.clear();
    let report = world.judge().await;
    assert_eq!(failed(&report), ["stores", "postgres", "sink"]);
    assert!(!report.passed());
    for id in ["stores", "postgres", "sink"] {
        assert!(matches!(report.check(id).unwrap().outcome, Outcome::NotCheckable { .. }));
    }
    world.close().await;
}

#[tokio::test]
async fn a_store_is_read_while_its_owner_holds_it() {
    let world = World::write(small()).await;
    let held = stores::hold(&world.dir.path().join("two"), &format!("0_{P10}"));
    let report = world.judge().await;
    assert!(report.passed(), "{report}");
    drop(held);
    world.close().await;
}
