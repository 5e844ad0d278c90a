//! Outputs as they must be, and each way in which one can be wrong.

use super::{Identity, OutputRecord, read};
use crate::event::{Change, Currency, Event, Purpose};
use crate::place::{Names, Place, Side};

/// `uuid5(uuid5(NAMESPACE_DNS, "millpond.ledger-accounts"), "order.events/0/5/0")` of Python's `uuid`.
const EVENT_ID: &str = "3c503ad2-4551-5bc4-8a81-adf7ec4c3156";

fn good() -> String {
    format!(
        r#"{{"eventType":"AccountDebited","eventId":"{EVENT_ID}","occurredAt":"2026-11-20T09:12:34.123Z",
        "source":{{"topic":"order.events","partition":0,"offset":5}},"payload":{{"accountId":7,"userId":7,
        "orderId":9,"deltaFen":-3,"balanceAfterFen":4,"currency":"CNY","accountVersion":2}}}}"#
    )
}

fn identity() -> Identity {
    let names = Names { orders: "order.events".into(), commands: "c".into(), accounts: "a".into() };
    Identity::new("ledger-accounts", names)
}

fn verdict(key: &str, value: &str) -> Result<crate::event::Output, String> {
    let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
    let timestamp_ms = 1_795_165_954_123;
    let record =
        OutputRecord { partition: 0, offset: 11, partitions: 1, timestamp_ms, key, value, trace: None };
    read(&record, &identity())
}

#[test]
fn a_good_output_is_read() {
    let output = verdict("7", &good()).unwrap();
    assert_eq!(output.source, Place { side: Side::Orders, partition: 0, offset: 5 });
    assert_eq!((output.user, output.offset, output.timestamp_ms), (7, 11, 1_795_165_954_123));
    let change = Change { delta: -3, balance_after: 4, currency: Currency::DEFAULT, version: 2 };
    assert_eq!(output.event, Event::Debited { purpose: Purpose::Order(9), change });
}

#[test]
fn each_wrong_field_is_named() {
    for (from, to, named) in [
        ("AccountDebited", "AccountDebite", "eventType"),
        (EVENT_ID, "00000000-0000-5000-8000-000000000000", "eventId"),
        ("34.123Z", "34.124Z", "occurredAt"),
        ("\"order.events\"", "\"x\"", "source.topic"),
        ("\"offset\":5", "\"offset\":-5", "source.offset"),
        ("\"offset\":5", "\"offset\":6", "eventId"),
        ("\"offset\":5", "\"offset\":5,\"x\":1", "source"),
        ("\"accountId\":7", "\"accountId\":8", "accountId"),
        ("\"deltaFen\":-3", "\"deltaFen\":-3.0", "deltaFen"),
        ("\"orderId\":9,", "", "orderId"),
        ("\"orderId\":9,", "\"orderId\":9,\"reference\":\"r\",", "one of"),
        ("\"CNY\"", "\"cny\"", "currency"),
        ("\"accountVersion\":2", "\"accountVersion\":2,\"extra\":1", "extra"),
        ("{\"eventType\"", "{\"more\":1,\"eventType\"", "more"),
        ("\"userId\":7", "\"userId\":7,\"userId\":7", "duplicate"),
    ] {
        let error = verdict("7", &good().replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(named), "{named}: {error}");
    }
    assert!(verdict("07", &good()).unwrap_err().contains("key"));
}

#[test]
fn an_output_on_the_wrong_partition_is_named() {
    let value = good();
    let right = crate::murmur2::partition_of(b"7", 4);
    let record = OutputRecord {
        partition: (right + 1) % 4,
        offset: 0,
        partitions: 4,
        timestamp_ms: 1_795_165_954_123,
        key: Some(b"7"),
        value: Some(value.as_bytes()),
        trace: None,
    };
    assert!(read(&record, &identity()).unwrap_err().contains("partition"));
}
