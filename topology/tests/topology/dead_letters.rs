//! Dead letters: inside the transaction, with exact headers.

use millpond_topology::{
    Builder, MemoryState, OutputView, OwnedRecord, ProcessError, SourceSpec, Str, TaskError,
};

use crate::support::{Bench, WALL_MS, fresh, record, text};

type Header = (String, Option<String>);

fn header(name: &str, value: &str) -> Header {
    (name.to_owned(), Some(value.to_owned()))
}

fn headers(view: &OutputView<'_>) -> Vec<Header> {
    view.headers().map(|(name, value)| (text(name), value.map(text))).collect()
}

/// What comes before the optional ones.
fn reason(code: &str, message: &str, offset: i64) -> Vec<Header> {
    let offset = offset.to_string();
    vec![
        header("__streams.errors.exception", code),
        header("__streams.errors.message", message),
        header("__streams.errors.topic", "left"),
        header("__streams.errors.partition", "2"),
        header("__streams.errors.offset", &offset),
        header("x-dlq-app", "app"),
        header("x-dlq-error-code", code),
        header("x-dlq-attempts", "1"),
        header("x-dlq-first-failure-ts", &WALL_MS.to_string()),
        header("x-dlq-redrive-count", "0"),
    ]
}

/// Processes `record` as the first of `left` and hands its dead letter to `check`, with its partition.
fn dead_letter(given: OwnedRecord, check: impl FnOnce(u32, &OutputView<'_>)) {
    let mut bench = Bench::fresh();
    bench.push(0, given);
    bench.end(0);
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1));
    {
        let sealed = bench.task.seal();
        assert_eq!(sealed.offsets()[0].offset, 1, "its offset is in the same transaction");
        let runs: Vec<_> = sealed.outputs().collect();
        assert_eq!(runs.len(), 1);
        let (topic, partition, run) = runs[0];
        assert_eq!((topic, run.len()), ("dead", 1));
        check(partition, &run.iter().next().unwrap());
    }
    let applied = bench.commit();
    assert_eq!((applied.records, applied.outputs), (1, 1));
    assert_eq!(applied.dead_letters.iter().map(|(_, count)| count).sum::<u64>(), 1);
}

#[test]
pub(crate) fn a_processors_refusal_keeps_key_value_timestamp_and_headers() {
    let mut given = record(7, "foobar", "put 1 1 1 5; say x; count; dead");
    given.headers =
        vec![(b"a".to_vec(), Some(b"1".to_vec())), (b"b".to_vec(), None), (b"a".to_vec(), Some(vec![]))];
    dead_letter(given, |partition, view| {
        // murmur2("foobar") = -790332482, by the Java client's own test; & 0x7fffffff, % 4.
        assert_eq!(partition, (-790_332_482i32 & 0x7fff_ffff).cast_unsigned() % 4);
        assert_eq!(view.key(), Some(&b"foobar"[..]));
        assert_eq!(view.value(), Some(&b"put 1 1 1 5; say x; count; dead"[..]));
        assert_eq!(view.timestamp_ms(), 7);
        let mut want = vec![header("a", "1"), ("b".to_owned(), None), header("a", "")];
        want.extend(reason("SCRIPTED", "the script says so", 0));
        assert_eq!(headers(view), want);
    });
}

#[test]
fn a_letter_that_fails_again_replaces_its_headers() {
    let mut given = record(7, "k", "dead");
    for (name, value) in [
        ("x-dlq-attempts", "2"),
        ("traceparent", "00-1-2-01"),
        ("x-dlq-redrive-count", "4"),
        ("__streams.errors.topic", "elsewhere"),
        ("x-dlq-original-length", "9"),
        ("x-dlq-first-failure-ts", "123"),
    ] {
        given.headers.push((name.as_bytes().to_vec(), Some(value.as_bytes().to_vec())));
    }
    dead_letter(given, |_, view| {
        let mut want = vec![header("traceparent", "00-1-2-01")];
        want.extend(reason("SCRIPTED", "the script says so", 0));
        for (name, value) in &mut want {
            match name.as_str() {
                "x-dlq-attempts" => *value = Some("3".to_owned()),
                "x-dlq-redrive-count" => *value = Some("4".to_owned()),
                "x-dlq-first-failure-ts" => *value = Some("123".to_owned()),
                _ => {}
            }
        }
        assert_eq!(headers(view), want);
    });
}

#[test]
fn headers_that_are_no_numbers_count_as_absent() {
    let mut given = record(7, "k", "dead");
    for (name, value) in [
        ("x-dlq-attempts", "many"),
        ("x-dlq-redrive-count", "99999999999999999999"),
        ("x-dlq-first-failure-ts", "-1"),
    ] {
        given.headers.push((name.as_bytes().to_vec(), Some(value.as_bytes().to_vec())));
    }
    dead_letter(given, |_, view| assert_eq!(headers(view), reason("SCRIPTED", "the script says so", 0)));
}

#[test]
fn a_null_value_stays_null() {
    dead_letter(OwnedRecord { value: None, ..record(7, "k", "") }, |_, view| {
        assert_eq!(view.value(), None);
        assert_eq!(headers(view), reason("NULL_VALUE", "null", 0));
    });
}

#[test]
fn a_null_key_stays_null_and_goes_to_the_inputs_partition() {
    dead_letter(OwnedRecord { key: None, ..record(7, "", "dead") }, |partition, view| {
        assert_eq!((view.key(), partition), (None, 2));
    });
    dead_letter(record(7, "", "dead"), |partition, view| {
        assert_eq!(view.key(), Some(&b""[..]));
        assert_eq!(partition, millpond_topology::partition_for(b"", 4), "the empty key is a key");
    });
}

#[test]
fn a_value_too_large_to_carry_is_cut_and_described() {
    // printf 'dead;%061d' 0 | sha256sum: 66 bytes, of which 64 are carried.
    let value = format!("dead;{:061}", 0);
    let mut given = record(7, "k", &value);
    given.headers = vec![(b"a".to_vec(), Some(b"12".to_vec()))];
    dead_letter(given, |_, view| {
        assert_eq!(view.value().map(text), Some(value[..64].to_owned()));
        let mut want = vec![header("a", "12")];
        want.extend(reason("SCRIPTED", "the script says so", 0));
        want.push(header("x-dlq-original-length", "66"));
        want.push(header(
            "x-dlq-original-sha256",
            "28307dad016d3ca45d65af36a6f5c473844a11bb85d058214a2ff01b03159bf2",
        ));
        assert_eq!(headers(view), want);
    });
    let value = format!("dead;{:059}", 0);
    dead_letter(record(7, "k", &value), |_, view| {
        assert_eq!(view.value().map(text), Some(value.clone()), "of exactly the limit");
        assert_eq!(headers(view), reason("SCRIPTED", "the script says so", 0));
    });
}

#[test]
fn large_headers_and_keys_are_kept_and_leave_less_room_for_the_value() {
    // 64 bytes of value fit beside 65,536 of key and headers.
    let value = format!("dead;{:059}", 0);
    for (beside, carried) in [(65_536, 64), (65_537, 63), (65_590, 10), (65_600, 0), (300_000, 0)] {
        let mut given = record(7, "k", &value);
        given.headers = vec![(b"a".to_vec(), Some(vec![b'h'; beside - 2]))];
        dead_letter(given, |_, view| {
            assert_eq!(view.value().map(text), Some(value[..carried].to_owned()), "{beside}");
            let names: Vec<_> =
                headers(view).into_iter().map(|(name, value)| (name, value.map(|v| v.len()))).collect();
            assert_eq!(names[0], ("a".to_owned(), Some(beside - 2)));
            let is_described = names.iter().any(|(name, _)| name == "x-dlq-original-sha256");
            assert_eq!(is_described, carried < 64, "{beside}");
        });
    }
}

#[test]
fn an_implausible_timestamp_is_not_carried_to_the_topic() {
    for timestamp_ms in [-1, i64::MIN, WALL_MS + 1001, i64::MAX] {
        dead_letter(record(timestamp_ms, "k", "say x"), |_, view| {
            assert_eq!(view.timestamp_ms(), WALL_MS);
            let message = format!("timestamp {timestamp_ms} ms, the host's clock shows {WALL_MS} ms");
            let mut want = reason("INVALID_TIMESTAMP", &message, 0);
            want.push(header("x-dlq-original-timestamp", &timestamp_ms.to_string()));
            assert_eq!(headers(view), want);
        });
    }
}

#[test]
fn a_value_longer_than_the_source_accepts_is_not_decoded() {
    let mut builder = Builder::new("app");
    builder.sub_topology("sub", |sub| {
        let out = sub.sink("out", "out", Str, Str);
        sub.dead_letters("dead-letters", "dead");
        sub.source(SourceSpec::new("source", &["left"], Str, Str).value_bytes_max(3), out);
    });
    let topology = builder.build().unwrap();
    let mut bench = Bench::new(&topology, &fresh(&topology), MemoryState::new());
    for value in ["abc", "abcd"] {
        bench.push(0, record(7, "k", value));
    }
    bench.push(0, OwnedRecord { value: Some(vec![0xff]), ..record(7, "k", "") });
    bench.push(0, OwnedRecord { key: None, ..record(7, "k", "x") });
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(4));
    let applied = bench.commit();
    let codes: Vec<_> = applied.dead_letters.iter().collect();
    assert_eq!(codes, [("TOO_LARGE", 1), ("NOT_UTF8", 1), ("MISSING_KEY", 1)]);
    assert_eq!(applied.outputs, 4);
}

#[test]
fn a_record_that_kafka_refuses_becomes_a_dead_letter_of_the_code_given() {
    let mut bench = Bench::fresh();
    bench.push(0, record(7, "k", "put 1 1 1 5; say x"));
    bench.end(0);
    let refused = || ProcessError::dead_letter("TOO_LARGE", "");
    assert_eq!(bench.task.reject_next(bench.now, refused()), Ok(1));
    {
        let sealed = bench.task.seal();
        assert_eq!(sealed.images().len(), 0, "it is not processed");
        assert_eq!(sealed.marker().stream_time_ms, -1);
        let (topic, _, run) = sealed.outputs().next().unwrap();
        assert_eq!((topic, run.len()), ("dead", 1));
        assert_eq!(headers(&run.iter().next().unwrap()), reason("TOO_LARGE", "TOO_LARGE", 0), "never empty");
    }
    bench.push(0, record(8, "k", "say x"));
    assert_eq!(bench.task.reject_next(bench.now, refused()), Ok(0), "the transaction is sealed");
    assert_eq!(bench.commit().records, 1);
    assert_eq!(bench.task.input(0).unwrap().waiting, 1);
}

#[test]
fn a_refused_record_without_a_timestamp_gets_one_that_kafka_takes() {
    let mut bench = Bench::fresh();
    bench.push(0, record(-1, "k", "say x"));
    bench.end(0);
    let refused = ProcessError::dead_letter("TOO_LARGE", "refused");
    assert_eq!(bench.task.reject_next(bench.now, refused), Ok(1));
    let sealed = bench.task.seal();
    let (_, _, run) = sealed.outputs().next().unwrap();
    let letter = run.iter().next().unwrap();
    assert_eq!(letter.timestamp_ms(), WALL_MS);
    assert_eq!(headers(&letter).last(), Some(&header("x-dlq-original-timestamp", "-1")));
}

#[test]
fn without_a_topic_for_them_a_bad_record_stops_the_task() {
    let mut builder = Builder::new("app");
    builder.sub_topology("sub", |sub| {
        let out = sub.sink("out", "out", Str, Str);
        sub.source(SourceSpec::new("source", &["left"], Str, Str), out);
    });
    let topology = builder.build().unwrap();
    let mut bench = Bench::new(&topology, &fresh(&topology), MemoryState::new());
    bench.push(0, record(7, "k", "fine"));
    bench.push(0, OwnedRecord { value: None, ..record(8, "k", "") });
    let failed = bench.task.process(bench.now, usize::MAX).unwrap_err();
    assert_eq!(failed.to_string(), "task 0_2, left-2@1: dead letter NULL_VALUE: null");
    assert!(matches!(failed, TaskError::Record { offset: 1, .. }));
    assert_eq!(bench.outputs("out").len(), 1, "what came before it stands");
}

#[test]
fn the_dead_letter_is_aborted_and_redone_with_its_transaction() {
    let mut bench = Bench::fresh();
    bench.left("dead");
    bench.task.rollback();
    assert_eq!(bench.outputs("dead").len(), 0);
    bench.task.rollback();
    assert_eq!(bench.task.process(bench.now, usize::MAX), Ok(1));
    assert_eq!(bench.outputs("dead").len(), 1);
    assert_eq!(bench.commit().dead_letters.get("SCRIPTED"), 1, "counted once");
}
