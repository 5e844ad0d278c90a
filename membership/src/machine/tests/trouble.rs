//! Losses, silent and confused brokers.

use proptest::prelude::*;

use crate::{
    Event, Input, StateKind, Why,
    machine::tests::script::{MEMBER, Script, fence, plan, share, target},
};

#[test]
pub(super) fn after_a_loss_nothing_is_joined_before_it_is_acknowledged() {
    let mut script = Script::stable(Some("i"), &["0_0"]);
    script.tick_after(500);
    script.beaten(25);
    assert_eq!(script.told(), [Event::Lost(Why::UnknownMember)]);
    script.owns(5, &["0_0"]);
    script.tick_after(60_000);
    assert_eq!((script.machine.state(), script.is_asking()), (StateKind::Lost, false));

    script.step(Input::AcknowledgeLost);
    script.tick_after(0);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
    let old = script.joined(25, MEMBER, -1);
    assert_eq!(old.member_id.as_str(), MEMBER, "first with the old member id");
    let new = script.joined(0, "m-2", 9);
    assert_eq!(new.member_id.as_str(), "", "only then with none");
    let claimed = crate::codec::Subscription::decode(&new.protocols[0].metadata).unwrap().owned;
    assert!(claimed.is_empty(), "what was lost is not claimed: {claimed:?}");
    assert_eq!(script.told(), []);
}

#[test]
fn a_fenced_instance_never_comes_back_with_an_empty_member_id() {
    let mut script = Script::stable(Some("i"), &["0_0"]);
    script.tick_after(500);
    script.beaten(22);
    script.told();
    let request = script.joined(82, "", -1);
    assert_eq!(request.member_id.as_str(), MEMBER);
    assert_eq!(script.told(), [Event::Hold(false), Event::Lost(Why::FencedInstance)]);
    assert!(!script.is_asking());
}

/// Lets a static member without a seat reach a coordinator, to which it sends its JoinGroup.
fn reach(script: &mut Script) {
    script.tick_after(1000);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
}

/// A static member that lost its seat and was given the ids `m-2` and `m-3` by coordinators that could not write, at a
/// coordinator that knows one of its ids or none.
fn given_ids_that_may_not_be_written() -> Script {
    let mut script = Script::stable(Some("i"), &["0_0"]);
    script.tick_after(500);
    script.beaten(25);
    script.owns(5, &[]);
    script.told();
    script.step(Input::AcknowledgeLost);
    for (old, new) in [(MEMBER, "m-2"), ("m-2", "m-3")] {
        reach(&mut script);
        assert_eq!(script.joined(25, old, -1).member_id.as_str(), old);
        assert_eq!(script.joined(0, new, 9).member_id.as_str(), "");
        script.synced(15, None);
        assert_eq!(script.machine.state(), StateKind::Resting);
    }
    reach(&mut script);
    assert_eq!(script.joined(82, "", -1).member_id.as_str(), "m-3");
    script
}

#[test]
fn a_fenced_id_gives_way_to_every_other_one_that_it_was_given_since_its_seat() {
    for fenced in [0, 1] {
        let mut script = given_ids_that_may_not_be_written();
        let known = ["m-2", MEMBER][fenced];
        for _ in 0..fenced {
            assert_eq!(script.joined(82, "", -1).member_id.as_str(), "m-2");
            // After many JoinGroups in vain the next one waits.
            reach(&mut script);
        }
        assert_eq!(script.joined(0, known, 6).member_id.as_str(), known, "its own, as it was written");
        script.synced(0, Some(share(&["0_0"]).encode(&plan())));
        let told = script.told();
        let [Event::Target(at)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((at.fence.member(), at.fence.generation()), (known, 6));
    }
}

#[test]
fn an_id_that_is_lost_before_its_seat_gives_way_as_well() {
    let mut script = given_ids_that_may_not_be_written();
    script.joined(0, "m-2", 9);
    script.synced(82, None);
    reach(&mut script);
    assert_eq!(script.joined(0, MEMBER, 6).member_id.as_str(), "m-3", "the youngest that is not fenced");
    assert_eq!(script.told(), []);
}

#[test]
fn of_many_ids_the_seated_one_and_the_youngest_are_remembered() {
    let mut script = Script::stable(Some("i"), &["0_0"]);
    script.tick_after(500);
    script.beaten(25);
    script.step(Input::AcknowledgeLost);
    for id in 0..40 {
        reach(&mut script);
        script.joined(25, MEMBER, -1);
        // After many JoinGroups in vain the next one waits.
        if !script.is_asking() {
            reach(&mut script);
        }
        script.joined(0, &format!("m-{id}"), 9);
        script.synced(15, None);
    }
    let mut asked = Vec::new();
    while !script.told().contains(&Event::Lost(Why::FencedInstance)) {
        if !script.is_asking() {
            reach(&mut script);
        }
        asked.push(script.joined(82, "", -1).member_id.to_string());
    }
    assert_eq!((asked.len(), asked[0].as_str(), asked[15].as_str()), (16, "m-39", MEMBER));
}

#[test]
fn a_stranger_in_its_place_is_found_once_all_its_ids_are_fenced() {
    let mut script = given_ids_that_may_not_be_written();
    assert_eq!(script.joined(82, "", -1).member_id.as_str(), "m-2");
    // A new connection does not make it begin anew.
    reach(&mut script);
    assert_eq!(script.joined(82, "", -1).member_id.as_str(), MEMBER, "never an empty one");
    assert_eq!(script.told(), [Event::Lost(Why::FencedInstance)]);
    assert!(!script.is_asking());
}

#[test]
pub(super) fn an_unknown_member_at_join_is_a_loss_while_it_has_a_fence() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.beaten(22);
    script.joined(25, "", -1);
    assert_eq!(script.told(), [Event::Hold(true), Event::Hold(false), Event::Lost(Why::UnknownMember)]);
}

#[test]
fn a_member_silent_for_a_session_loses_itself_counted_from_what_it_sent() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.now += std::time::Duration::from_millis(2_000);
    script.beaten(0);
    // The beat went out at 0.5 s; its answer came at 2.5 s; the broker's clock may run since 0.5 s.
    script.tick_after(500);
    script.forget_request();
    script.step(Input::Disconnected);
    for _ in 0..34 {
        script.tick_after(100);
        if script.machine.state() == StateKind::Dialing {
            script.step(Input::Disconnected);
        }
    }
    assert!(!script.told().iter().any(|event| matches!(event, Event::Lost(_))), "6.4 s");
    script.tick_after(100);
    assert_eq!(script.told(), [Event::Lost(Why::SessionExpired)]);
}

#[test]
fn a_long_join_is_no_loss_but_one_that_is_never_answered_is() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.beaten(27);
    script.tick_after(15_900);
    assert_eq!(script.told(), [Event::Hold(true)]);
    script.joined(0, MEMBER, 6);
    script.synced(0, Some(share(&["0_0"]).encode(&plan())));
    script.tick_after(500);
    script.beaten(0);
    assert_eq!(script.told(), [Event::Hold(true), Event::Fence(fence(6, None)), Event::Hold(false)]);

    script.tick_after(500);
    script.beaten(27);
    script.tick_after(16_000);
    assert_eq!(script.told(), [Event::Hold(true), Event::Hold(false), Event::Lost(Why::SessionExpired)]);
}

#[test]
fn a_moved_coordinator_is_found_at_the_next_server_and_the_generation_kept() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.beaten(16);
    assert_eq!(script.machine.state(), StateKind::Resting);
    script.tick_after(99);
    assert_eq!(script.machine.state(), StateKind::Resting, "no sooner than 100 ms");
    script.tick_after(101);
    script.step(Input::Connected);
    script.found(15);
    script.tick_after(400);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
    assert_eq!(script.connects[2..], ["boot2:2", "boot1:1", "coordinator:9"]);
    script.beaten(0);
    assert_eq!((script.machine.state(), script.told()), (StateKind::Stable, vec![]));
}

#[test]
fn a_broken_join_is_sent_again_with_the_same_member_id_and_claims() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.beaten(27);
    script.forget_request();
    script.step(Input::Disconnected);
    script.tick_after(200);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
    let request = script.joined(0, MEMBER, 6);
    assert_eq!(request.member_id.as_str(), MEMBER);
    script.synced(0, Some(share(&["0_0", "0_1"]).encode(&plan())));
    let hold = Event::Hold;
    let expected = [hold(true), hold(false), hold(true), hold(true), target(6, &["0_0", "0_1"]), hold(false)];
    assert_eq!(script.told(), expected);
}

#[test]
pub(super) fn a_member_that_missed_a_generation_drops_everything_and_joins_with_empty_hands() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.beaten(22);
    script.joined(0, MEMBER, 7);
    script.synced(0, Some(share(&["0_0"]).encode(&plan())));
    assert_eq!(
        script.told().last(),
        Some(&Event::Lost(Why::MissedGeneration)),
        "generation 6 had no seat for it"
    );
    assert_eq!(script.machine.state(), StateKind::Lost);
}

#[test]
fn a_generation_that_ended_before_its_assignment_is_not_missed() {
    let mut script = Script::stable(None, &["0_0"]);
    script.tick_after(500);
    script.beaten(27);
    script.joined(0, MEMBER, 6);
    script.synced(27, None);
    script.joined(0, MEMBER, 7);
    script.synced(0, Some(share(&["0_0"]).encode(&plan())));
    assert!(!script.told().iter().any(|event| matches!(event, Event::Lost(_))), "it was in generation 6");
    assert_eq!(script.machine.state(), StateKind::Stable);
}

#[test]
fn a_refusal_names_the_cure_once_and_is_tried_again() {
    let mut script = Script::until_joining(None);
    script.joined(26, "", -1);
    let Some(Event::Blocked(reasons)) = script.told().pop() else { panic!("blocked") };
    assert!(reasons[0].contains("group.min.session.timeout.ms"), "{reasons:?}");
    script.tick_after(200);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
    script.joined(26, "", -1);
    assert_eq!(script.told(), [], "said already");
    script.tick_after(400);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
    script.joined(0, MEMBER, 1);
    script.synced(0, None);
    assert_eq!(script.told(), [target(1, &[]), Event::Blocked(vec![])]);
}

#[test]
fn a_coordinator_that_never_gives_a_generation_is_not_asked_in_a_tight_loop() {
    let mut script = Script::until_joining(None);
    for _ in 0..4 {
        script.joined(27, "", -1);
    }
    assert_eq!(script.machine.state(), StateKind::Resting);
}

#[test]
fn a_coordinator_not_reached_for_seconds_is_said_and_taken_back() {
    let mut script = Script::new(None);
    let started = script.now;
    while script.events.is_empty() {
        script.tick_after(10);
        if script.machine.state() == StateKind::Dialing {
            script.step(Input::Disconnected);
        }
    }
    let took = script.now - started;
    assert!((1_000..4_000).contains(&took.as_millis()), "{took:?}");
    let Some(Event::Blocked(reasons)) = script.told().pop() else { panic!("blocked") };
    assert!(reasons[0].contains("group app is not reached; last tried: boot1:1"), "{reasons:?}");
    script.tick_after(1_000);
    script.step(Input::Connected);
    script.found(0);
    script.step(Input::Connected);
    script.joined(0, MEMBER, 1);
    script.synced(0, None);
    assert_eq!(script.told(), [target(1, &[]), Event::Blocked(vec![])]);
}

#[test]
fn a_peer_that_is_no_broker_is_named() {
    let mut script = Script::new(None);
    script.step(Input::Tick);
    script.step(Input::Connected);
    script.step(Input::Bytes(b"HTTP/1.1 400 Bad Request"));
    assert_eq!(script.machine.state(), StateKind::Resting);
    let Some(Event::Blocked(reasons)) = script.told().pop() else { panic!("blocked") };
    assert!(reasons[0].starts_with("boot1:1 does not answer like a Kafka broker"), "{reasons:?}");
}

#[test]
fn garbage_in_answer_to_a_leave_does_not_bring_the_member_back() {
    let mut script = Script::stable(None, &["0_0"]);
    script.step(Input::Leave(crate::Leave::Gone));
    script.step(Input::Bytes(&[0xff; 4]));
    assert_eq!(script.machine.state(), StateKind::Ended);
}

proptest! {
    #[test]
    fn no_bytes_at_all_can_make_it_panic(
        state in 0..4_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        framed in any::<bool>(),
    ) {
        let mut script = match state {
            0 => {
                let mut script = Script::new(None);
                script.step(Input::Tick);
                script.step(Input::Connected);
                script
            }
            1 => Script::until_joining(None),
            2 => {
                let mut script = Script::until_joining(None);
                script.joined(0, MEMBER, 5);
                script
            }
            _ => {
                let mut script = Script::stable(None, &["0_0"]);
                script.tick_after(500);
                script
            }
        };
        let mut wire = bytes.clone();
        if framed {
            // A right length and correlation id, so that the bytes get as far as the answer's own fields.
            let correlation = [1, 2, 3, 4][state];
            wire = vec![0, 0, 0, u8::try_from(bytes.len() + 4).unwrap(), 0, 0, 0, correlation];
            wire.extend(bytes);
        }
        script.step(Input::Bytes(&wire));
    }
}
