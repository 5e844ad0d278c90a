//! Every decoder against bytes written out by hand.

use proptest::prelude::*;

use super::*;
use crate::event::{Currency, Status};

fn text(text: &str) -> Vec<u8> {
    [&u64::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat()
}

fn marker_bytes() -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend([7; 16]);
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend([2, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
    bytes.extend(42_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(text("order.events"));
    bytes.extend([5; 16]);
    bytes.extend(4711_i64.to_le_bytes());
    bytes.extend((-1_i64).to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend([3, 0]);
    bytes.extend(99_i64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend((-5_i128).to_le_bytes());
    bytes.extend(6_i128.to_le_bytes());
    bytes
}

#[test]
fn marker_is_read_field_by_field() {
    let marker = Marker::decode(&marker_bytes()).unwrap();
    assert_eq!(marker.base, [7; 16]);
    assert_eq!(marker.stores, [(2, [9; 8])]);
    assert_eq!((marker.sequence, marker.stream_time_ms), (42, -1));
    assert_eq!(marker.next_offset("order.events"), Some(4711));
    assert_eq!(marker.next_offset("other"), None);
    assert_eq!(marker.punctuations, [(3, 99)]);
    let tally = marker.tallies.first().unwrap();
    assert_eq!((tally.store, tally.live_keys, tally.sums.as_slice()), (1, 2, &[-5, 6][..]));
}

#[test]
fn a_marker_that_is_cut_longer_or_of_another_version_is_refused() {
    let whole = marker_bytes();
    for end in 0..whole.len() {
        assert!(Marker::decode(&whole[..end]).is_err(), "{end}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(Marker::decode(&longer), Err(FormatError::Trailing { count: 1 }));
    let other = [&[2], &whole[1..]].concat();
    assert_eq!(Marker::decode(&other), Err(FormatError::Version(2)));
}

#[test]
fn a_count_beyond_the_bytes_ends_at_once() {
    let mut bytes = vec![1];
    bytes.extend([7; 16]);
    bytes.extend(u64::MAX.to_le_bytes());
    assert_eq!(Marker::decode(&bytes), Err(FormatError::Short { what: "stores" }));
}

#[test]
fn topology_hashes_follow_the_documented_text() {
    // printf 'millpond/2\ninput account-commands account.commands\ninput order-events order.events\npartitioner murmur2\n' | sha256sum
    let base = Marker::base_of([("account-commands", "account.commands"), ("order-events", "order.events")]);
    assert_eq!(base[..4], BASE_START);
    // printf '1 accounts c' | sha256sum
    assert_eq!(Marker::store_hash_of(1, "accounts", "c")[..4], STORE_START);
}

const BASE_START: [u8; 4] = [0x03, 0x0b, 0x71, 0x6a];
const STORE_START: [u8; 4] = [0x23, 0xbc, 0x34, 0x7f];

#[test]
fn metadata_is_read_field_by_field() {
    let mut bytes = vec![1];
    bytes.extend([text("app"), text("accounts")].concat());
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(text("murmur2"));
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend([1, 0]);
    bytes.extend([text("accounts"), text("account/1")].concat());
    bytes.extend(text("app.accounts.changelog"));
    bytes.extend([8; 16]);
    bytes.extend(77_i64.to_le_bytes());
    bytes.extend(88_i64.to_le_bytes());
    let metadata = Metadata::decode(&bytes).unwrap();
    assert_eq!((metadata.app.as_str(), metadata.subtopology.as_str()), ("app", "accounts"));
    assert_eq!(
        (metadata.partition, metadata.partition_count, metadata.partitioner.as_str()),
        (3, 4, "murmur2")
    );
    assert_eq!(metadata.stores, [(1, "accounts".to_owned(), "account/1".to_owned())]);
    assert_eq!(metadata.changelog, "app.accounts.changelog");
    assert_eq!((metadata.changelog_topic_id, metadata.position, metadata.written_wall_ms), ([8; 16], 77, 88));
    assert!(Metadata::decode(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn values_are_read_field_by_field() {
    let mut account = vec![1];
    account.extend([70_i64, 5].map(i64::to_le_bytes).concat());
    account.extend(*b"CNY");
    account.push(1);
    account.extend(9_u64.to_le_bytes());
    account.extend([100_i64, 30].map(i64::to_le_bytes).concat());
    let row = AccountRow::decode(&account).unwrap();
    let currency = Currency::DEFAULT;
    let (total_credited, total_debited) = (100, 30);
    let status = Status::Frozen;
    let expected =
        AccountRow { balance: 70, overdraft: 5, currency, status, version: 9, total_credited, total_debited };
    assert_eq!(row, expected);

    let mut order = vec![1, 8];
    order.extend([500_i64, 20].map(i64::to_le_bytes).concat());
    order.extend(1_u64.to_le_bytes());
    order.extend(text("r1"));
    let outcome = OrderOutcome::DebitedAndCancelled;
    let expected = OrderRow { outcome, amount: 500, refunded: 20, refund_ids: vec!["r1".into()] };
    assert_eq!(OrderRow::decode(&order), Ok(expected));
    order[1] = 9;
    assert_eq!(OrderRow::decode(&order), Err(FormatError::Unknown { what: "order outcome", value: 9 }));

    let reference = [&[1][..], &33_i64.to_le_bytes(), &[0]].concat();
    assert_eq!(ReferenceRow::decode(&reference), Ok(ReferenceRow { amount: 33 }));
    let unknown = [&[1][..], &33_i64.to_le_bytes(), &[1]].concat();
    assert!(ReferenceRow::decode(&unknown).is_err());
}

#[test]
fn keys_have_the_documented_bytes() {
    let key = RowKey::Reference { user: 1, kind: ReferenceKind::Withdrawal, reference: "ab".into() };
    assert_eq!(key.encode(), [0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 1, b'a', b'b']);
    assert_eq!(RowKey::Account { user: 258 }.encode(), [0, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert!(RowKey::decode(&[0, 4, 0, 0, 0, 0, 0, 0, 0, 1]).is_err());
    assert!(RowKey::decode(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]).is_err());
}

#[test]
fn nonces_are_strict() {
    let nonce = Nonce::parse("mp1;00ff00ff00ff00ff-12;7;0;app-i-0-a;b").unwrap();
    assert_eq!((nonce.sequence, nonce.attempt, nonce.transactional_id.as_str()), (7, 0, "app-i-0-a;b"));
    for text in [
        "",
        "mp2;00ff00ff00ff00ff-12;7;0;a",
        "mp1;00FF00ff00ff00ff-12;7;0;a",
        "mp1;0ff00ff00ff00ff-12;7;0;a",
        "mp1;00ff00ff00ff00ff;7;0;a",
        "mp1;00ff00ff00ff00ff-;7;0;a",
        "mp1;00ff00ff00ff00ff-1;-7;0;a",
        "mp1;00ff00ff00ff00ff-1;7;0;",
        "mp1;00ff00ff00ff00ff-1;7;0",
        "mp1;00ff00ff00ff00ff-1;7;0;é",
    ] {
        assert_eq!(Nonce::parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn keys_round_trip(user: u64, order: u64, reference in "[ -~]{1,20}", deposit: bool) {
        let kind = if deposit { ReferenceKind::Deposit } else { ReferenceKind::Withdrawal };
        let reference = reference.into();
        let order = RowKey::Order { user, order };
        for key in [RowKey::Account { user }, order, RowKey::Reference { user, kind, reference }] {
            prop_assert_eq!(RowKey::decode(&key.encode()), Ok(key));
        }
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Marker::decode(&bytes);
        let _ = Metadata::decode(&bytes);
        let _ = (RowKey::decode(&bytes), AccountRow::decode(&bytes), OrderRow::decode(&bytes));
    }
}
