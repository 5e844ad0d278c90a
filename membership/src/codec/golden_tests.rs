//! The bytes of the user data, and what happens to wrong ones.

use proptest::prelude::*;

use crate::{
    Identity, Lag, Plan, Producer, Role, Roles, SubTopology,
    codec::{Assignment, Found, Joined, Malformed, Reader, Subscription, Synced},
};

fn subscription() -> Subscription {
    Subscription {
        instance: Some("i".to_owned()),
        identity: Identity {
            roles: Roles::none().with(Role::Processor),
            threads: 2,
            endpoint: Some("h:1".to_owned()),
            transactional_ids: vec!["x".to_owned()],
            topology: vec![0xab, 0xcd],
        },
        owned: [("0_3".parse().unwrap(), 7)].into(),
        lag: [("1_0".parse().unwrap(), Lag { position: 5, end: 6 })].into(),
    }
}

fn assignment() -> Assignment {
    let producer = Producer { owner: "i".to_owned(), generation: 7, transactional_ids: vec!["x".to_owned()] };
    Assignment {
        active: ["0_1".parse().unwrap()].into(),
        standby: ["0_2".parse().unwrap()].into(),
        warmup: [].into(),
        release: ["0_3".parse().unwrap()].into(),
        producers: vec![producer],
        blocked: vec!["b".to_owned()],
    }
}

fn plan() -> Plan {
    Plan::new(vec![SubTopology { id: 0, topics: vec!["t".to_owned()], partitions: 4, role: Role::Processor }])
        .unwrap()
}

const SUBSCRIPTION: &[u8] = b"\x01\x01\x00\x02\x00\x01i\x00\x03h:1\x00\x00\x00\x02\xab\xcd\
    \x00\x00\x00\x01\x00\x01x\
    \x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x07\
    \x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x06";
const ASSIGNMENT: &[u8] = b"\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\
    \x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\
    \x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\
    \x00\x00\x00\x01\x00\x01i\x00\x00\x00\x07\x00\x00\x00\x01\x00\x01x\x00\x00\x00\x01\x00\x01b";

#[test]
fn user_data_has_the_documented_bytes() {
    assert_eq!(subscription().user_data(), SUBSCRIPTION);
    assert_eq!(assignment().user_data(), ASSIGNMENT);
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(Subscription::decode(&subscription().encode(&plan())), Ok(subscription()));
    assert_eq!(Assignment::decode(&assignment().encode(&plan())), Ok(assignment()));
    assert_eq!(Assignment::decode(&[]), Ok(Assignment::default()));
}

#[test]
fn a_cut_changed_or_longer_message_is_an_error() {
    let whole = subscription().encode(&plan());
    for end in 0..whole.len() - 4 - plan_bytes() {
        assert!(Subscription::decode(&whole[..end]).is_err(), "cut at {end}");
    }
    let mut newer = assignment().encode(&plan()).to_vec();
    let version = newer.len() - ASSIGNMENT.len();
    newer[version] = 2;
    assert_eq!(Assignment::decode(&newer), Err(Malformed("assignment user data version")));
}

/// Bytes of the owned partitions behind the user data, which are not ours to read.
fn plan_bytes() -> usize {
    2 + 1 + 4 + 4
}

#[test]
fn a_claimed_number_of_elements_takes_no_memory() {
    // 2^31 - 1 members in an answer of 26 bytes; kafka-protocol would reserve 200 GB.
    let mut answer = vec![0; 4 + 2 + 4 + 2 + 2 + 2];
    answer.extend([0x7f, 0xff, 0xff, 0xff]);
    answer.extend([0; 6]);
    assert_eq!(Joined::read(Reader::new(&answer)), Err(Malformed("JoinGroup answer")));
    let mut three = Reader::new(&[0, 0, 0, 3, 1, 2, 3, 4, 5]);
    assert_eq!(three.count(2, "pairs"), Err(Malformed("pairs")), "five bytes hold no three pairs");
}

proptest! {
    #[test]
    fn no_bytes_can_make_a_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        cut in 0..60_usize,
    ) {
        let _ = Found::read(Reader::new(&bytes));
        let _ = Joined::read(Reader::new(&bytes));
        let _ = Synced::read(Reader::new(&bytes));
        let _ = Subscription::decode(&bytes);
        let _ = Assignment::decode(&bytes);
        // Right at the start, wrong behind.
        for right in [subscription().encode(&plan()), assignment().encode(&plan())] {
            let mut mixed = right[..cut.min(right.len())].to_vec();
            mixed.extend(&bytes);
            let _ = Subscription::decode(&mixed);
            let _ = Assignment::decode(&mixed);
        }
    }
}
