//! What goes wrong when an engine is wrong: lost, doubled, moved and hanging things.

use std::time::Duration;

use millpond_oracle::Outcome;
use rdkafka::TopicPartitionList;
use rdkafka::admin::AdminOptions;
use rdkafka::producer::Producer;

use crate::support::draft::{Letter, ORDERS};
use crate::support::kafka::{Record, admin, producer, send};
use crate::support::small::{P7, P10, small};
use crate::support::world::{World, differences, failed};

#[tokio::test]
async fn a_lost_outcome_is_named() {
    let mut draft = small();
    draft.transactions[1].outputs.remove(0);
    let world = World::write(draft).await;
    let report = world.judge().await;
    // PostgreSQL agrees with the outputs that are there.
    assert_eq!(failed(&report), ["outcomes"], "{report}");
    let found = &differences(&report, "outcomes")[0];
    assert!(
        found.contains("order.events-1@2: user 7, order Some(2)") && found.contains("INSUFFICIENT_BALANCE")
    );
    world.close().await;
}

#[tokio::test]
async fn a_doubled_output_is_named() {
    let mut draft = small();
    let twice = draft.transactions[1].outputs[3].clone();
    draft.transactions[1].outputs.push(twice);
    let world = World::write(draft).await;
    let report = world.judge().await;
    let found = differences(&report, "outputs");
    assert!(found.iter().any(|found| found.contains("the same eventId")), "{report}");
    assert!(failed(&report).contains(&"money"), "{report}");
    world.close().await;
}

#[tokio::test]
async fn swapped_outputs_are_named() {
    let mut draft = small();
    draft.transactions[1].outputs.swap(0, 1);
    let world = World::write(draft).await;
    let report = world.judge().await;
    let found = differences(&report, "outputs");
    assert!(
        found.iter().any(|found| found.contains("stands behind an output of the later source")),
        "{report}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_lost_a_wrong_and_an_unfounded_dead_letter_are_named() {
    let mut draft = small();
    draft.transactions[1].letters = vec![
        Letter { partition: P7, source: (ORDERS, 5), code: "BAD_FIELD" },
        Letter { partition: P10, source: (ORDERS, 2), code: "NOT_JSON" },
    ];
    let world = World::write(draft).await;
    let report = world.judge().await;
    assert_eq!(failed(&report), ["dead-letters"], "{report}");
    let found = differences(&report, "dead-letters").join("\n");
    for part in [
        "order.events-1@4: dead letter NOT_JSON expected, none found",
        "order.events-1@5: user 7, order Some(1), OrderCreated: dead letter BAD_FIELD, expected Dead(OrderConflict)",
        "order.events-0@2: user 10, order None, OrderPaid: dead letter NOT_JSON, expected Silent",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_marker_that_disagrees_with_the_committed_offset_is_named() {
    let world = World::write(small()).await;
    let producer = producer(Some(&world.target.app_id));
    producer.begin_transaction().unwrap();
    let nonce = "mp1;00ff00ff00ff00ff-1;9;0;x".to_owned();
    let offsets = [(world.target.topics.orders.clone(), P7, 6, nonce)];
    crate::support::kafka::commit(&producer, &world.target.app_id, &offsets);
    let report = world.judge().await;
    assert_eq!(failed(&report), ["offsets"], "{report}");
    let found = differences(&report, "offsets").join("\n");
    assert!(found.contains("order.events-1: committed offset 6, the marker says 7"), "{found}");
    assert!(found.contains("sequence 9"), "{found}");
    world.close().await;
}

#[tokio::test]
async fn a_wrong_tally_is_named() {
    let mut draft = small();
    draft.transactions[1].marks.get_mut(&P10).unwrap().sums[0] = 31;
    let world = World::write(draft).await;
    let report = world.judge().await;
    assert_eq!(failed(&report), ["tallies"], "{report}");
    assert!(differences(&report, "tallies")[0].contains("[31, 50, 20], has [30, 50, 20]"), "{report}");
    world.close().await;
}

#[tokio::test]
async fn a_hanging_transaction_is_named() {
    let world = World::write(small()).await;
    let producer = producer(Some(&format!("{}-hanging", world.target.app_id)));
    producer.begin_transaction().unwrap();
    let (topic, timestamp_ms) = (world.target.topics.deadletter.as_str(), 1);
    let record = Record { topic, partition: 0, timestamp_ms, key: b"10", value: b"x" };
    send(&producer, &record, &[]);
    producer.flush(Duration::from_secs(10)).unwrap();
    let report = world.judge().await;
    assert_eq!(failed(&report), ["transactions"], "{report}");
    assert!(
        differences(&report, "transactions")[0].contains("deadletter.events-0: last stable offset 0"),
        "{report}"
    );
    producer.abort_transaction(Duration::from_secs(10)).unwrap();
    world.close().await;
}

#[tokio::test]
async fn trimmed_input_is_not_checkable_and_does_not_pass() {
    let world = World::write(small()).await;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&world.target.topics.orders, P7, rdkafka::Offset::Offset(3)).unwrap();
    admin().delete_records(&list, &AdminOptions::new()).await.unwrap();
    let report = world.judge().await;
    assert_eq!(failed(&report), ["outcomes", "outputs", "balances", "dead-letters"], "{report}");
    let Outcome::NotCheckable { why } = &report.check("balances").unwrap().outcome else {
        panic!("{report}")
    };
    assert!(why.contains("order.events-1 begins at offset 3"), "{why}");
    assert!(!report.passed());
    world.close().await;
}

#[tokio::test]
async fn a_sink_that_stopped_early_is_named() {
    let world = World::write(small()).await;
    let sql = "UPDATE sink_offsets SET next_offset = 4 WHERE topic LIKE '%account.events' AND partition = 1;
        DELETE FROM orders WHERE order_id = 2";
    crate::support::postgres::execute(&world.url, sql.to_owned()).await;
    let report = world.judge().await;
    // The refund was read too by the rows, but not by the position.
    assert_eq!(failed(&report), ["postgres", "sink"], "{report}");
    let found = &differences(&report, "sink")[0];
    assert!(found.contains("account.events-1: next_offset 4, its data ends at 6"), "{found}");
    world.close().await;
}
