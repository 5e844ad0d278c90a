//! Restore decisions: each refusal provoked alone.

use millpond_topology::{Fingerprint, InputOffset, Marker};

use super::*;

const ID: [u8; 16] = [1; 16];

fn changelog() -> Changelog {
    Changelog { topic: "a.s.changelog".into(), partition: 2, topic_id: ID, log_start: 0, high_watermark: 100 }
}

fn store() -> StoreFacts {
    StoreFacts { folder: "0_2".into(), changelog_topic_id: ID, position: 40, is_stale: false }
}

fn marker() -> Marker {
    Marker {
        fingerprint: Fingerprint { base: [3; 16], stores: vec![(1, [4; 8])] },
        sequence: 9,
        inputs: vec![InputOffset { topic: "in".into(), topic_id: [5; 16], next_offset: 50 }],
        stream_time_ms: 7,
        punctuations: vec![],
        tallies: vec![],
    }
}

fn facts() -> RestoreFacts {
    let facts = InputFacts { topic: "in".into(), topic_id: [5; 16], log_start: 0, high_watermark: 80 };
    RestoreFacts {
        app: "app".into(),
        brokers: "host:9092".into(),
        changelog: "a.s.changelog".into(),
        partition: 2,
        fingerprint: marker().fingerprint,
        inputs: vec![CommittedInput { facts, committed: Some(50), sequence: Some(9) }],
        marker: Some(marker()),
        may_start_trimmed: StartTrimmed::Refuse,
    }
}

fn stop(change: impl FnOnce(&mut RestoreFacts)) -> RestoreStop {
    let mut facts = facts();
    change(&mut facts);
    match conclude(facts) {
        Ok(restored) => panic!("accepted: {restored:?}"),
        Err(stop) => stop,
    }
}

#[test]
fn plans_follow_the_store() {
    assert_eq!(plan(&changelog(), None), Ok(Plan::FromStart));
    assert_eq!(plan(&changelog(), Some(&store())), Ok(Plan::Tail { from: 40 }));
    let stale = StoreFacts { is_stale: true, ..store() };
    assert!(matches!(plan(&changelog(), Some(&stale)), Ok(Plan::Rebuild { .. })));
}

#[test]
fn a_changelog_that_is_another_or_lost_records_is_refused() {
    let other = StoreFacts { changelog_topic_id: [9; 16], ..store() };
    assert!(matches!(plan(&changelog(), Some(&other)), Err(RestoreStop::ChangelogRecreated { .. })));
    let truncated = Changelog { log_start: 1, ..changelog() };
    assert!(matches!(plan(&truncated, None), Err(RestoreStop::ChangelogTruncated { log_start: 1, .. })));
    let shorter = Changelog { high_watermark: 39, ..changelog() };
    assert!(matches!(plan(&shorter, Some(&store())), Err(RestoreStop::ChangelogShorter { end: 39, .. })));
}

#[test]
fn agreement_goes_on_from_the_marker_also_when_all_offsets_expired() {
    let restored = conclude(facts());
    assert_eq!(restored.as_ref().map(|r| (r.sequence, r.stream_time_ms)), Ok((9, 7)));
    let mut expired = facts();
    expired.inputs[0].committed = None;
    assert_eq!(conclude(expired), restored);
}

#[test]
fn every_disagreement_is_its_own_refusal() {
    assert!(matches!(
        stop(|f| f.inputs[0].committed = Some(49)),
        RestoreStop::OffsetsMoved { committed: 49, .. }
    ));
    // Set by a person, or committed by an earlier transaction than the state knows: moved. By a later one: the state is short.
    for (committed, sequence) in [(60, None), (60, Some(9)), (40, Some(10))] {
        let moved = stop(|f| {
            f.inputs[0] = CommittedInput { committed: Some(committed), sequence, ..f.inputs[0].clone() }
        });
        assert!(matches!(moved, RestoreStop::OffsetsMoved { marker: 50, .. }), "{moved}");
    }
    let behind = stop(|f| (f.inputs[0].committed, f.inputs[0].sequence) = (Some(60), Some(10)));
    assert!(matches!(behind, RestoreStop::StateBehind { sequence: 10, known: 9, .. }), "{behind}");
    let unmoved = stop(|f| f.inputs[0].sequence = Some(10));
    assert!(matches!(unmoved, RestoreStop::StateBehind { committed: 50, marker: 50, .. }), "{unmoved}");
    assert!(matches!(stop(|f| f.inputs[0].facts.topic_id = [0; 16]), RestoreStop::InputRecreated { .. }));
    assert!(matches!(
        stop(|f| f.inputs[0].facts.log_start = 51),
        RestoreStop::RetentionPassed { lost: 1, .. }
    ));
    assert!(matches!(
        stop(|f| f.inputs[0].facts.high_watermark = 49),
        RestoreStop::InputShorter { end: 49, .. }
    ));
    assert!(matches!(stop(|f| f.fingerprint.base = [0; 16]), RestoreStop::TopologyChanged { .. }));
    assert!(matches!(stop(|f| f.marker = None), RestoreStop::ChangelogEmptied { committed: 50, .. }));
    let partly = stop(|f| {
        let mut other = f.inputs[0].clone();
        other.facts.topic = "other".into();
        other.committed = None;
        f.inputs.push(other);
        if let Some(marker) = &mut f.marker {
            marker.inputs.push(InputOffset { topic: "other".into(), topic_id: [5; 16], next_offset: 0 });
        }
    });
    assert!(matches!(partly, RestoreStop::OffsetsDeleted { .. }));
}

#[test]
fn a_first_start_begins_at_the_log_start_and_refuses_a_trimmed_input_unless_told() {
    let fresh = |log_start, allow| {
        let mut facts = facts();
        facts.marker = None;
        facts.inputs[0].committed = None;
        facts.inputs[0].facts.log_start = log_start;
        facts.may_start_trimmed = allow;
        conclude(facts)
    };
    assert_eq!(fresh(0, StartTrimmed::Refuse).map(|r| r.inputs[0].next_offset), Ok(0));
    assert!(matches!(fresh(5, StartTrimmed::Refuse), Err(RestoreStop::InputTrimmed { log_start: 5, .. })));
    assert_eq!(fresh(5, StartTrimmed::Allow).map(|r| r.inputs[0].next_offset), Ok(5));
}

#[test]
fn deleted_records_are_gone_without_only_when_told() {
    let mut facts = facts();
    facts.inputs[0].facts.log_start = 60;
    facts.may_start_trimmed = StartTrimmed::Allow;
    let restored = conclude(facts);
    assert_eq!(restored.map(|r| (r.sequence, r.inputs[0].next_offset)), Ok((9, 60)));
}

#[test]
fn an_offset_that_a_person_set_back_to_the_state_is_accepted() {
    let mut facts = facts();
    facts.inputs[0].sequence = None;
    assert_eq!(conclude(facts).map(|r| r.inputs[0].next_offset), Ok(50));
}
