//! Records that cannot become rows are kept whole, and never keep good ones waiting.

use super::cluster::{End, Record, Writer, committed};
use super::database::server;
use super::expected::from_database;
use super::generator::Generator;
use super::proxy::Proxy;
use super::rig::{Rig, run};

fn bad(value: Option<&[u8]>) -> Record {
    let headers = vec![("traceparent", b"00-trace".to_vec()), ("binary", vec![0, 255])];
    Record { partition: 0, key: "1000".to_owned(), value: value.map(<[u8]>::to_vec), headers }
}

#[test]
fn records_that_cannot_be_understood_or_stored_become_dead_letters_of_the_sink() {
    run(async {
        let rig = Rig::new("bad", 1).await;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(23, 20, 1);
        // Sound in every respect but the calendar: only the database can tell.
        let no_such_day =
            br#"{"eventType":"CommandRejected","eventId":"00000000-0000-0000-0000-000000000001",
            "occurredAt":"2026-02-31T00:00:00Z","source":{"topic":"t","partition":0,"offset":1},
            "payload":{"userId":1000,"command":"C","reason":"R"}}"#;
        let unknown =
            String::from_utf8(no_such_day.to_vec()).unwrap().replace("CommandRejected", "AccountMelted");
        let bads = [
            (bad(Some(b"{\"eventType\":")), "NOT_JSON"),
            (bad(Some(b"[]")), "NOT_AN_OBJECT"),
            (bad(Some(b"{}")), "MISSING_FIELD"),
            (bad(None), "NULL_VALUE"),
            (bad(Some(unknown.as_bytes())), "UNKNOWN_EVENT_TYPE"),
            (bad(Some(no_such_day)), "DATABASE_REJECTED"),
            (bad(Some(no_such_day)), "DATABASE_REJECTED"),
        ];
        let mut records = Vec::new();
        for (bad, _) in &bads {
            records.extend(generator.events(60));
            records.push(bad.clone());
        }
        records.extend(generator.events(60));
        writer.write(&records, End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        let codes = rig.database.rows(r#"SELECT code FROM dead_letters ORDER BY "offset""#).await;
        assert_eq!(codes, bads.iter().map(|(_, code)| *code).collect::<Vec<_>>());
        let found = committed(&rig.accounts, 1);
        let kept = rig
            .database
            .rows(
                r#"SELECT format('%s|%s|%s|%s|%s|%s|%s', topic, partition, "offset", origin, encode(key, 'escape'),
                jsonb_array_length(headers), coalesce(encode(value, 'hex'), 'null')) FROM dead_letters
                ORDER BY "offset""#,
            )
            .await;
        let expected: Vec<String> = [60, 121, 182, 243, 304, 365, 426]
            .map(|index: usize| {
                let record = &found[index];
                let value = record.value.as_ref().map_or("null".to_owned(), |value| {
                    value.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
                });
                format!("{}|0|{}|sink|1000|{}|{value}", rig.accounts, record.offset, record.headers)
            })
            .to_vec();
        assert_eq!(kept, expected);
        let binary = rig.database.rows("SELECT headers -> 1 ->> 'hex' FROM dead_letters LIMIT 1").await;
        assert_eq!(binary, ["00ff"]);
        let tables = from_database(&rig.database).await;
        // The good records around them are all there: everything that is no dead letter left its row.
        let kinds = |wanted: &str| {
            let has =
                |r: &&Record| r.value.as_ref().is_some_and(|v| String::from_utf8_lossy(v).contains(wanted));
            records.iter().filter(has).count()
        };
        assert_eq!(tables.changes.len(), kinds("\"deltaFen\""));
        assert_eq!(tables.rejections.len(), kinds("\"WithdrawFunds\""));
        sink.stop().await;
    });
}

#[test]
fn letters_of_processors_are_stored_at_the_position_of_the_record_they_are_about() {
    run(async {
        let rig = Rig::new("letters", 1).await;
        let writer = Writer::new(&rig.letters);
        let letter = |offset: &str| Record {
            partition: 0,
            key: "7".to_owned(),
            value: Some(b"\x00not json".to_vec()),
            headers: vec![
                ("traceparent", b"00-trace".to_vec()),
                ("__streams.errors.exception", b"millpond::DecodeError".to_vec()),
                ("__streams.errors.message", b"expected value at line 1".to_vec()),
                ("__streams.errors.topic", b"order.events".to_vec()),
                ("__streams.errors.partition", b"3".to_vec()),
                ("__streams.errors.offset", offset.as_bytes().to_vec()),
                ("x-dlq-app", b"ledger-accounts".to_vec()),
                ("x-dlq-error-code", b"NOT_JSON".to_vec()),
                ("x-dlq-attempts", b"1".to_vec()),
                ("x-dlq-redrive-count", b"2".to_vec()),
                ("x-dlq-first-failure-ts", b"2026-11-20T09:12:34.123Z".to_vec()),
            ],
        };
        writer.write(&[letter("4711"), letter("4712")], End::Commit);
        writer.write(&[letter("1")], End::Abort);
        // Without a position; and one that is there already, under another letter.
        writer.write(&[letter("many"), letter("4711")], End::Commit);
        let sink = rig.sink();
        sink.drained(&rig).await;
        let rows = rig
            .database
            .rows(
                r#"SELECT format('%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', app, topic, partition, "offset", origin, code,
                message, attempts, redrive_count, first_failure_at, letter_offset) FROM dead_letters
                WHERE origin = 'processor' ORDER BY "offset""#,
            )
            .await;
        let expected = |offset: i64, at: i64| {
            format!(
                "ledger-accounts|order.events|3|{offset}|processor|NOT_JSON|expected value at line 1|1|2|\
                 2026-11-20T09:12:34.123Z|{at}"
            )
        };
        assert_eq!(rows, [expected(4711, 0), expected(4712, 1)]);
        let own = rig
            .database
            .rows(r#"SELECT format('%s|%s', topic, code) FROM dead_letters WHERE origin = 'sink' ORDER BY "offset""#)
            .await;
        assert_eq!(own, ["BAD_HEADERS", "DATABASE_REJECTED"].map(|code| format!("{}|{code}", rig.letters)));
        sink.stop().await;
    });
}

#[test]
fn a_dead_letter_and_its_offset_are_one_transaction_whatever_happens_to_commits() {
    /// Notes in which transaction letters are stored and offsets moved.
    const AUDIT: &str = r#"
        CREATE TABLE audit (kind text, xact xid8, partition integer, at bigint);
        CREATE FUNCTION note_letter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit VALUES ('letter', pg_current_xact_id(), NEW.partition, NEW."offset"); RETURN NEW; END $$;
        CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit VALUES ('move', pg_current_xact_id(), NEW.partition, NEW.next_offset); RETURN NEW; END $$;
        CREATE TRIGGER note_letter AFTER INSERT ON dead_letters FOR EACH ROW EXECUTE FUNCTION note_letter();
        CREATE TRIGGER note_move AFTER UPDATE ON sink_offsets FOR EACH ROW EXECUTE FUNCTION note_move();"#;
    /// Letters whose transaction did not move the partition's offset to right behind the record.
    const APART: &str = "SELECT count(*)::text FROM audit AS letter WHERE kind = 'letter' AND NOT EXISTS (SELECT 1 \
        FROM audit AS move WHERE move.kind = 'move' AND move.xact = letter.xact AND move.partition = letter.partition \
        AND move.at > letter.at)";
    run(async {
        let rig = Rig::new("letters-exact", 1).await;
        rig.database.script(AUDIT).await;
        let proxy = Proxy::start(&server()).await;
        let mut settings = rig.settings();
        settings.postgres_url = proxy.url(&rig.database.url);
        settings.batch_rows = 64;
        let writer = Writer::new(&rig.accounts);
        let mut generator = Generator::new(24, 20, 1);
        // Only the database can tell that it is bad: batches are halved until it is alone.
        let no_such_day =
            br#"{"eventType":"CommandRejected","eventId":"00000000-0000-0000-0000-000000000001",
            "occurredAt":"2026-02-31T00:00:00Z","source":{"topic":"t","partition":0,"offset":1},
            "payload":{"userId":1000,"command":"C","reason":"R"}}"#;
        let mut good = 0;
        for _ in 0..8 {
            let mut records = generator.events(30);
            records.push(bad(Some(no_such_day)));
            records.extend(generator.events(33));
            good += records.iter().filter(|record| is_change(record)).count();
            writer.write(&records, End::Commit);
        }
        let sink = rig.sink_with(settings);
        sink.drained(&rig).await;
        let (lost, never_sent) = proxy.cut();
        assert!(lost >= 3 && never_sent >= 1, "void: {lost} replies and {never_sent} commits were lost");
        let letters = rig
            .database
            .rows(r#"SELECT "offset"::text FROM dead_letters ORDER BY dead_letters."offset""#)
            .await;
        let expected: Vec<String> = (0..8).map(|round| (round * 65 + 30).to_string()).collect();
        assert_eq!(letters, expected);
        assert_eq!(rig.database.rows(APART).await, ["0"], "a letter was stored without its offset");
        assert_eq!(from_database(&rig.database).await.changes.len(), good);
        sink.stop().await;
    });
}

fn is_change(record: &Record) -> bool {
    record.value.as_ref().is_some_and(|value| String::from_utf8_lossy(value).contains("\"deltaFen\""))
}
