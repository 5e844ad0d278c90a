//! Joining, targets, releases, and what the leader sends.

use kafka_protocol::{
    messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription},
    protocol::Decodable,
};

use crate::{
    Event, Identity, Input, Leave, Producer, Report, StateKind,
    codec::{Assignment, Subscription},
    machine::tests::script::{MEMBER, Script, fence, identity, plan, share, target, tasks},
};

fn said(bytes: &[u8]) -> Subscription {
    Subscription::decode(bytes).unwrap()
}

fn producer(owner: &str, id: &str) -> Producer {
    Producer { owner: owner.to_owned(), generation: 5, transactional_ids: vec![id.to_owned()] }
}

#[test]
fn a_first_join_gets_a_member_id_then_a_target() {
    let mut script = Script::until_joining(None);
    assert_eq!(script.connects, ["boot1:1", "coordinator:9"]);
    let first = script.joined(79, MEMBER, -1);
    assert_eq!((first.member_id.as_str(), first.protocol_type.as_str()), ("", "consumer"));
    assert_eq!((first.session_timeout_ms, first.rebalance_timeout_ms), (6_000, 10_000));
    let second = script.joined(0, MEMBER, 5);
    assert_eq!(second.member_id.as_str(), MEMBER);
    assert_eq!(script.told(), [], "no fence before the share is known");
    script.synced(0, Some(share(&["0_1", "0_2"]).encode(&plan())));
    assert_eq!(script.told(), [target(5, &["0_1", "0_2"])]);
}

#[test]
fn the_leader_shares_tasks_and_tools_can_read_who_owns_what() {
    let mut script = Script::until_joining(None);
    let other = Subscription {
        instance: None,
        identity: Identity { transactional_ids: vec!["app-j-0-a".to_owned()], ..identity() },
        owned: [("0_3".parse().unwrap(), 4)].into(),
        lag: [].into(),
    };
    let stranger = Subscription {
        identity: Identity { topology: vec![9], ..identity() },
        owned: [("0_2".parse().unwrap(), 4)].into(),
        ..other.clone()
    };
    script.joined_as_leader(5, &[("m-2", other.encode(&plan())), ("m-3", stranger.encode(&plan()))]);
    let sent = script.synced(0, None);
    let share = |member: &str| {
        let share = sent.assignments.iter().find(|share| share.member_id.as_str() == member).unwrap();
        share.assignment.clone()
    };
    let read = |member: &str| Assignment::decode(&share(member)).unwrap();
    assert!(read("m-2").active.contains(&"0_3".parse().unwrap()), "its owner keeps it");
    assert!(
        read("m-3").active.is_empty() && read("m-3").blocked[0].contains("topology"),
        "{:?}",
        read("m-3")
    );
    assert_eq!(
        &read(MEMBER).active | &read("m-2").active,
        tasks(&["0_0", "0_1", "0_3"]),
        "0_2 is not released"
    );

    let mut envelope = share(MEMBER).slice(2..);
    let shown = ConsumerProtocolAssignment::decode(&mut envelope, 1).unwrap();
    let own: Vec<i32> =
        read(MEMBER).active.iter().map(|task| i32::try_from(task.partition).unwrap()).collect();
    let shown: Vec<_> = shown
        .assigned_partitions
        .iter()
        .map(|topic| (topic.topic.as_str(), topic.partitions.clone()))
        .collect();
    assert_eq!(shown, [("commands", own.clone()), ("orders", own)]);

    let Some(Event::Target(target)) = script.told().pop() else { panic!("a target") };
    assert_eq!(target.producers[..2], [producer(MEMBER, "app-i-0-a"), producer("m-2", "app-j-0-a")]);
}

#[test]
fn a_revoked_task_stays_claimed_until_released_and_the_release_starts_a_generation() {
    let mut script = Script::stable(None, &["0_0", "0_1"]);
    script.tick_after(500);
    script.beaten(27);
    assert_eq!(script.told(), [Event::Hold(true)]);
    let request = script.joined(0, MEMBER, 6);
    let metadata = &request.protocols[0].metadata;
    assert_eq!(said(metadata).owned, [("0_0".parse().unwrap(), 5), ("0_1".parse().unwrap(), 5)].into());
    let shown = ConsumerProtocolSubscription::decode(&mut metadata.slice(2..), 1).unwrap();
    assert_eq!(shown.topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>(), ["commands", "orders"]);
    assert_eq!(shown.owned_partitions[0].partitions, [0, 1]);
    script.synced(0, Some(share(&["0_0"]).encode(&plan())));
    assert_eq!(script.told(), [Event::Hold(true), target(6, &["0_0"]), Event::Hold(false)]);

    script.owns(6, &["0_0", "0_1"]);
    assert!(!script.is_asking(), "still finishing");
    script.owns(6, &["0_0"]);
    let request = script.joined(0, MEMBER, 7);
    assert_eq!(said(&request.protocols[0].metadata).owned, [("0_0".parse().unwrap(), 6)].into());
    script.told();
    script.synced(0, Some(share(&["0_0"]).encode(&plan())));
    assert_eq!(
        script.told(),
        [Event::Fence(fence(7, None)), Event::Hold(false)],
        "only the generation moved"
    );
    script.owns(6, &["0_0"]);
    assert!(!script.is_asking(), "settled");
    script.owns(7, &[]);
    assert!(!script.is_asking(), "a task of the target that the engine has not opened is no release");
}

#[test]
fn a_release_during_a_heartbeat_waits_for_its_answer() {
    let mut script = Script::stable(None, &["0_0", "0_1"]);
    script.tick_after(500);
    script.beaten(27);
    script.joined(0, MEMBER, 6);
    script.synced(0, Some(share(&[]).encode(&plan())));
    script.tick_after(500);
    script.owns(6, &[]);
    script.beaten(0);
    assert_eq!(script.machine.state(), StateKind::Joining);
}

#[test]
fn a_warm_up_that_caught_up_asks_for_a_plan_once() {
    let mut script = Script::stable(None, &[]);
    let ready = Report { generation: 5, ready: true, ..Report::default() };
    script.step(Input::Report(&ready));
    script.joined(0, MEMBER, 6);
    script.synced(0, Some(share(&[]).encode(&plan())));
    script.step(Input::Report(&ready));
    assert!(!script.is_asking());
}

#[test]
fn leaving_says_so_unless_the_member_comes_back() {
    let mut gone = Script::stable(None, &["0_0"]);
    gone.step(Input::Leave(Leave::Gone));
    gone.left();
    assert_eq!((gone.machine.state(), gone.closes), (StateKind::Ended, 2));
    let mut back = Script::stable(Some("i"), &["0_0"]);
    back.step(Input::Leave(Leave::Back));
    assert!(!back.is_asking());
    assert_eq!((back.machine.state(), back.closes), (StateKind::Ended, 2));
}
