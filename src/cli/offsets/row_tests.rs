//! What each constellation of offsets is said to mean.

use super::*;

const RECORD: Waiting = Waiting::Record { timestamp_ms: Some(4_000) };

fn row(committed: Committed, waiting: Waiting) -> Row {
    let topic = "order.events".to_owned();
    Row { topic, partition: 0, committed, log_start: 10, last_stable: 100, high_watermark: 100, waiting }
}

#[test]
fn markers_are_no_lag() {
    let behind = row(Committed::At(98), Waiting::Nothing);
    assert_eq!((behind.lag(), behind.lag_seconds(9_000)), (Some(0), Some(0.0)));
    assert_eq!(behind.note(), "drained, 2 markers at the end");
    assert_eq!(row(Committed::At(100), Waiting::Nothing).note(), "drained");
}

#[test]
fn records_are_lag_in_offsets_and_in_seconds() {
    let behind = row(Committed::At(60), RECORD);
    assert_eq!((behind.lag(), behind.lag_seconds(9_000)), (Some(40), Some(5.0)));
    assert_eq!(behind.lag_seconds(3_000), Some(0.0), "a clock behind is no negative age");
    assert_eq!(behind.note(), "");
    let unknown = row(Committed::At(60), Waiting::Unknown);
    assert_eq!((unknown.lag(), unknown.lag_seconds(9_000)), (Some(40), None));
    assert_eq!(unknown.note(), "may be markers only");
}

#[test]
fn without_a_commit_the_lag_begins_at_the_log_start() {
    let none = row(Committed::None, RECORD);
    assert_eq!(none.lag(), Some(90));
    assert_eq!(none.note(), "nothing committed, and the log begins at 10");
    assert_eq!(Row { log_start: 0, ..none }.note(), "nothing committed");
}

#[test]
fn what_is_lost_or_impossible_is_said_loudly() {
    assert_eq!(
        row(Committed::At(3), RECORD).note(),
        "DATA LOST: retention removed 7 offsets before they were read"
    );
    assert!(row(Committed::At(101), Waiting::Nothing).note().starts_with("BEYOND THE END"));
    let pinned = row(Committed::Pinned, Waiting::Unknown);
    assert_eq!((pinned.lag(), pinned.lag_seconds(0)), (None, None));
    let open = Row { high_watermark: 130, ..pinned };
    assert_eq!(
        open.note(),
        "pinned by an open transaction; look again; 30 offsets behind an open transaction"
    );
}
