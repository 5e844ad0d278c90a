//! When the sink cannot prove that it is right it stops, and its last words name the row and the cure.

use millpond::sink::Failure;

use super::cluster::{End, Writer, create_topic, delete_topic, trim};
use super::generator::Generator;
use super::rig::{Rig, run};

#[test]
fn a_topic_re_created_while_the_sink_was_down_stops_it() {
    run(async {
        let rig = Rig::new("reborn", 1).await;
        let mut generator = Generator::new(1, 5, 1);
        Writer::new(&rig.accounts).write(&generator.events(20), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        sink.stop().await;
        delete_topic(&rig.accounts).await;
        create_topic(&rig.accounts, 1).await;
        Writer::new(&rig.accounts).write(&generator.events(100), End::Commit);
        let failure = rig.sink().failure().await;
        assert!(
            matches!(&failure, Failure::TopicRecreated { topic, .. } if *topic == rig.accounts),
            "{failure}"
        );
        assert!(failure.to_string().contains("empty database"), "{failure}");
    });
}

#[test]
fn a_topic_re_created_under_the_running_sink_stops_it() {
    run(async {
        let rig = Rig::new("rebirth", 1).await;
        let mut generator = Generator::new(1, 5, 1);
        Writer::new(&rig.accounts).write(&generator.events(20), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        delete_topic(&rig.accounts).await;
        create_topic(&rig.accounts, 1).await;
        let failure = sink.failure().await;
        assert!(matches!(failure, Failure::TopicRecreated { .. }), "{failure}");
    });
}

#[test]
fn records_deleted_before_they_were_written_stop_it() {
    run(async {
        let rig = Rig::new("trimmed", 1).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(1, 5, 1);
        writer.write(&generator.events(20), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        sink.stop().await;
        writer.write(&generator.events(20), End::Commit);
        trim(&rig.accounts, 0, 30).await;
        let failure = rig.sink().failure().await;
        assert!(matches!(failure, Failure::RecordsLost { next_offset: 21, log_start: 30, .. }), "{failure}");
    });
}

#[test]
fn a_row_that_was_tampered_with_stops_it_and_is_named() {
    for (name, tamper, expected) in [
        (
            "version",
            "UPDATE accounts SET account_version = account_version + 1",
            "accounts 1: stored version",
        ),
        (
            "balance",
            "UPDATE accounts SET balance_fen = balance_fen + 1, total_credited_fen = total_credited_fen + 1",
            "accounts_balance_check",
        ),
        ("currency", "UPDATE accounts SET currency = 'USD'", "accounts 1: stored version"),
        ("missing", "DELETE FROM accounts", "accounts 1: no such row"),
    ] {
        run(async {
            let rig = Rig::new(&format!("tampered-{name}"), 1).await;
            let writer = Writer::new(&rig.accounts);
            let mut generator = Generator::new(9, 1, 1);
            writer.write(&generator.events(30), End::Commit);
            let sink = rig.sink();
            sink.drained(&rig).await;
            let before = rig.database.rows("SELECT count(*)::text FROM balance_changes").await;
            assert_eq!(rig.database.run(tamper).await, Ok(1));
            writer.write(&generator.events(30), End::Commit);
            let failure = sink.failure().await;
            assert!(matches!(failure, Failure::Invariant(_)), "{failure}");
            assert!(failure.to_string().contains(expected), "{failure}");
            assert_eq!(rig.database.rows("SELECT count(*)::text FROM balance_changes").await, before);
        });
    }
}

#[test]
fn a_refund_that_does_not_fit_the_stored_order_stops_it() {
    run(async {
        let rig = Rig::new("refund", 1).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(9, 1, 1);
        writer.write(&generator.events(60), End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        rig.database.run("DELETE FROM orders").await.expect("tamper");
        writer.write(&generator.events(200), End::Commit);
        let failure = sink.failure().await;
        assert!(failure.to_string().contains("orders 1/"), "{failure}");
    });
}

#[test]
fn a_missing_schema_stops_it_with_the_command() {
    run(async {
        let rig = Rig::new("schemaless", 1).await;
        rig.database.run("DROP TABLE sink_offsets").await.expect("drop");
        let failure = rig.sink().failure().await;
        assert!(failure.to_string().contains("millpond migrate"), "{failure}");
    });
}
