//! The bytes of the stores are the documented ones; impossible records are told apart.

use millpond_topology::{Codec, KeyCodec};

use super::*;
use crate::money::{Amount, Currency, Fen, Overflow};
use crate::reason::DebitFailure;

fn account() -> Account {
    Account {
        balance: Fen::new(-2),
        overdraft: Fen::new(500),
        currency: Currency::CNY,
        status: Status::Frozen,
        version: 7,
        total_credited: Fen::new(98),
        total_debited: Fen::new(100),
    }
}

fn encoded<C: Codec>(codec: &C, value: &C::Value) -> Vec<u8> {
    let mut out = Vec::new();
    codec.encode(value, &mut out);
    out
}

#[test]
fn account_bytes_are_the_documented_ones() {
    let codec = AccountCodec::new();
    let mut want = vec![1];
    want.extend((-2i64).to_le_bytes());
    want.extend(500i64.to_le_bytes());
    want.extend(b"CNY");
    want.push(1);
    want.extend(7u64.to_le_bytes());
    want.extend(98i64.to_le_bytes());
    want.extend(100i64.to_le_bytes());
    assert_eq!(encoded(&codec, &account()), want);
    assert_eq!(codec.decode(&want), Ok(account()));
    want[20] = 3;
    assert!(codec.decode(&want).is_err(), "an unknown status is refused");
    want[0] = 2;
    assert!(codec.decode(&want).is_err(), "an unknown version is refused");
}

#[test]
fn order_bytes_are_the_documented_ones() {
    let codec = OrderCodec::new();
    let record = OrderRecord {
        outcome: OrderOutcome::DebitedAndCancelled,
        amount: Fen::new(9),
        refunded: Fen::new(9),
        refund_ids: vec!["r1".into()],
    };
    let mut want = vec![1, 8];
    want.extend(9i64.to_le_bytes());
    want.extend(9i64.to_le_bytes());
    want.extend(1u64.to_le_bytes());
    want.extend(2u64.to_le_bytes());
    want.extend(b"r1");
    assert_eq!(encoded(&codec, &record), want);
    assert_eq!(codec.decode(&want), Ok(record));
    for (outcome, byte) in [
        (OrderOutcome::Debited, 0),
        (DebitFailure::AccountNotFound.into(), 1),
        (DebitFailure::InsufficientBalance.into(), 2),
        (DebitFailure::AccountFrozen.into(), 3),
        (DebitFailure::AccountClosed.into(), 4),
        (DebitFailure::CurrencyMismatch.into(), 5),
        (DebitFailure::OrderCancelled.into(), 6),
        (OrderOutcome::CancellationRemembered, 7),
    ] {
        let record = OrderRecord { outcome, ..OrderRecord::cancelled_early() };
        assert_eq!(encoded(&codec, &record)[1], byte, "{outcome:?}");
        assert_eq!(codec.decode(&encoded(&codec, &record)).map(|r| r.outcome), Ok(outcome));
    }
    want[1] = 9;
    assert!(codec.decode(&want).is_err(), "an unknown outcome is refused");
}

#[test]
fn reference_bytes_are_the_documented_ones() {
    let codec = ReferenceCodec::new();
    let record = Reference::applied(Amount::new(5).expect("in range"));
    let mut want = vec![1];
    want.extend(5i64.to_le_bytes());
    want.push(0);
    assert_eq!(encoded(&codec, &record), want);
    assert_eq!(codec.decode(&want), Ok(record));
    let key = ReferenceKey { user: 258, kind: ReferenceKind::Withdrawal, reference: "ab" };
    let mut bytes = Vec::new();
    ReferenceKeyCodec.encode(&key, &mut bytes);
    assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 1, 2, 1, b'a', b'b']);
    assert_eq!(ReferenceKeyCodec.decode(&bytes), Ok(key));
    bytes[8] = 2;
    assert!(ReferenceKeyCodec.decode(&bytes).is_err());
    assert!(ReferenceKeyCodec.decode(&bytes[..8]).is_err());
}

#[test]
fn a_change_adds_one_to_the_version_and_overflows_change_nothing() {
    let one = Amount::new(1).expect("in range");
    let opened = Account::blank(Currency::CNY, Fen::ZERO).with_status(Status::Open).expect("small");
    assert_eq!((opened.version, opened.fault()), (1, None));
    let rich = Account { balance: Fen::new(i64::MAX), total_credited: Fen::new(i64::MAX), ..opened };
    assert_eq!(rich.fault(), None);
    assert_eq!(rich.credit(one.fen()), Err(Overflow));
    assert_eq!(rich.debit(one).map(|a| (a.balance.get(), a.version)), Ok((i64::MAX - 1, 2)));
    let turned = Account { balance: Fen::ZERO, total_debited: Fen::new(i64::MAX), ..rich };
    assert_eq!(turned.fault(), None);
    assert_eq!(
        turned.credit(one.fen()),
        Err(Overflow),
        "the total of credits is full, though the balance is 0"
    );
    assert_eq!(turned.debit(one), Err(Overflow));
    let lent = Account { overdraft: Fen::new(1), ..rich };
    assert_eq!(lent.covers(one), Err(Overflow), "balance and overdraft together");
    assert_eq!(Account { version: u64::MAX, ..opened }.credit(one.fen()), Err(Overflow));
}

#[test]
fn impossible_accounts_have_a_fault() {
    let sound = account();
    assert_eq!(sound.fault(), None);
    for broken in [
        Account { balance: Fen::new(-1), ..sound },
        Account { total_debited: Fen::new(99), ..sound },
        Account { version: 0, ..sound },
        Account { overdraft: Fen::new(1), ..sound },
        Account { overdraft: Fen::new(-1), balance: Fen::ZERO, total_debited: Fen::new(98), ..sound },
        Account { overdraft: Fen::new(Amount::FEN_MAX + 1), ..sound },
        Account { total_credited: Fen::new(-10), total_debited: Fen::new(-8), ..sound },
    ] {
        assert!(broken.fault().is_some(), "{broken:?}");
    }
}

#[test]
fn impossible_orders_have_a_fault() {
    let debited = OrderRecord::decided(OrderOutcome::Debited, Amount::new(10).expect("in range"));
    let refunded = OrderRecord { refunded: Fen::new(4), refund_ids: vec!["r".into()], ..debited };
    let cancelled =
        OrderRecord { outcome: OrderOutcome::DebitedAndCancelled, refunded: Fen::new(10), ..debited.clone() };
    for sound in [&debited, &refunded, &cancelled, &OrderRecord::cancelled_early()] {
        assert_eq!(sound.fault(), None, "{sound:?}");
    }
    for broken in [
        OrderRecord { amount: Fen::ZERO, ..debited.clone() },
        OrderRecord { amount: Fen::new(Amount::FEN_MAX + 1), ..debited.clone() },
        OrderRecord { refunded: Fen::new(-1), ..debited.clone() },
        OrderRecord { refunded: Fen::new(1), ..debited },
        OrderRecord { refunded: Fen::new(11), ..refunded.clone() },
        OrderRecord { refunded: Fen::new(9), ..cancelled },
        OrderRecord { outcome: OrderOutcome::AccountFrozen, ..refunded },
        OrderRecord { amount: Fen::new(1), ..OrderRecord::cancelled_early() },
    ] {
        assert!(broken.fault().is_some(), "{broken:?}");
    }
}
