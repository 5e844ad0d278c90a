//! The exhaustive table of the commit machine, and its paths.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond_membership::Fence;
use millpond_topology::TaskId;

use super::*;

const TASK: TaskId = TaskId::new(0, 1);
const ALIEN: TaskId = TaskId::new(0, 2);

fn incarnation() -> Incarnation {
    Incarnation { process: 1, acquisition: 1 }
}

fn members() -> Vec<Member> {
    let nonce = |task: TaskId| Nonce {
        incarnation: incarnation(),
        sequence: u64::from(task.partition),
        attempt: 0,
        transactional_id: "t".into(),
    };
    [TASK, ALIEN]
        .map(|task| Member { task, incarnation: incarnation(), nonce: nonce(task), previous: None })
        .to_vec()
}

fn fence() -> Fence {
    match Fence::new("g", "m", None, 3) {
        Ok(fence) => fence,
        Err(error) => panic!("{error}"),
    }
}

fn snapshot() -> Snapshot {
    Snapshot { fence: Some(fence()), owned: BTreeMap::from([(TASK, incarnation()), (ALIEN, incarnation())]) }
}

fn limits() -> Limits {
    Limits {
        impure_after: Duration::from_millis(80),
        commit_deadline: Duration::from_secs(5),
        fenced_twice_within: Duration::from_secs(10),
    }
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn quick(result: Result<(), Class>) -> (Duration, Result<(), Class>) {
    (at(1), result)
}

fn offsets(result: Result<(), Class>) -> Event {
    let (took, result) = quick(result);
    Event::OffsetsReply { took, result }
}

fn produced(snapshot: Snapshot) -> Event {
    Event::Produced { took: at(1), snapshot }
}

fn commit(result: Result<(), Class>) -> Event {
    let (took, result) = quick(result);
    Event::CommitReply { took, result }
}

fn abort(result: Result<(), Class>) -> Event {
    let (took, result) = quick(result);
    Event::AbortReply { took, result }
}

fn judged(verdict: Verdict, taken: &[TaskId]) -> Event {
    Event::Resolved(Judgement { verdict, taken: taken.to_vec() })
}

/// Runs events one millisecond apart and returns the machine and the last actions.
fn run(events: Vec<Event>) -> (Commit, Vec<Action>) {
    let mut machine = Commit::new(limits());
    let mut last = Vec::new();
    for (ms, event) in (0u64..).zip(events) {
        last = match machine.step(at(ms), event) {
            Ok(actions) => actions,
            Err(error) => panic!("{error}"),
        };
    }
    (machine, last)
}

/// The events that lead to each phase.
fn path(phase: Phase) -> Vec<Event> {
    let begin = || vec![Event::Begin(members())];
    let then = |mut events: Vec<Event>, more: Vec<Event>| {
        events.extend(more);
        events
    };
    let sending = || then(begin(), vec![Event::Due]);
    let sent = || then(sending(), vec![produced(snapshot()), offsets(Ok(()))]);
    let committing = || then(sent(), vec![Event::CommitStarted]);
    let unknown = || then(committing(), vec![commit(Err(Class::Stop))]);
    match phase {
        Phase::Idle => vec![],
        Phase::Open => begin(),
        Phase::Sending => sending(),
        Phase::OffsetsSent => sent(),
        Phase::Committing => committing(),
        Phase::Committed => then(committing(), vec![commit(Ok(()))]),
        Phase::Aborting => then(begin(), vec![Event::Spoiled(Class::Abortable)]),
        Phase::Fencing => then(sending(), vec![Event::Expired]),
        Phase::Aborted => then(begin(), vec![Event::Spoiled(Class::Abortable), abort(Ok(()))]),
        Phase::Unknown => unknown(),
        Phase::Dropping => then(unknown(), vec![Event::ProducerReplaced, judged(Verdict::MovedOn, &[])]),
        Phase::Recycling => {
            let slow = Event::CommitReply { took: at(80), result: Ok(()) };
            then(committing(), vec![slow, Event::Applied])
        }
    }
}

const PHASES: [Phase; 12] = [
    Phase::Idle,
    Phase::Recycling,
    Phase::Open,
    Phase::Sending,
    Phase::OffsetsSent,
    Phase::Committing,
    Phase::Committed,
    Phase::Aborting,
    Phase::Fencing,
    Phase::Aborted,
    Phase::Unknown,
    Phase::Dropping,
];

fn events() -> Vec<(&'static str, Event)> {
    vec![
        ("Begin", Event::Begin(members())),
        ("Due", Event::Due),
        ("Spoiled", Event::Spoiled(Class::Abortable)),
        ("Withheld", Event::Withheld),
        ("Produced", produced(snapshot())),
        ("OffsetsReply", offsets(Ok(()))),
        ("CommitStarted", Event::CommitStarted),
        ("CommitReply", commit(Ok(()))),
        ("AbortReply", abort(Ok(()))),
        ("Expired", Event::Expired),
        ("ProducerReplaced", Event::ProducerReplaced),
        ("Resolved", judged(Verdict::Committed, &[])),
        ("Applied", Event::Applied),
        ("RolledBack", Event::RolledBack),
        ("Lost", Event::Lost),
    ]
}

/// The whole table: where each legal pair leads. Every pair not listed is illegal.
fn legal(phase: Phase, event: &str) -> Option<Phase> {
    use Phase as P;
    let next = match (phase, event) {
        (P::Idle, "Begin") => P::Open,
        (P::Idle, "Lost") => P::Idle,
        (P::Recycling, "ProducerReplaced") => P::Idle,
        (P::Recycling, "Lost") => P::Recycling,
        (P::Open, "Due") => P::Sending,
        (P::Open, "Spoiled" | "Lost") => P::Aborting,
        (P::Sending, "Spoiled" | "Withheld") => P::Aborting,
        (P::Sending, "Produced" | "Lost") => P::Sending,
        (P::Sending, "OffsetsReply") => P::OffsetsSent,
        (P::Sending, "Expired") => P::Fencing,
        (P::OffsetsSent, "CommitStarted") => P::Committing,
        (P::OffsetsSent, "Lost") => P::Aborting,
        (P::Committing, "CommitReply") => P::Committed,
        (P::Committing, "Expired") => P::Unknown,
        (P::Committing, "Lost") => P::Committing,
        (P::Committed, "Applied") => P::Idle,
        (P::Committed, "Lost") => P::Committed,
        (P::Aborting, "AbortReply") => P::Aborted,
        (P::Aborting, "Expired") => P::Fencing,
        (P::Aborting, "Lost") => P::Aborting,
        (P::Fencing, "ProducerReplaced") => P::Aborted,
        (P::Fencing, "Lost") => P::Dropping,
        (P::Aborted, "RolledBack") => P::Idle,
        (P::Aborted, "Lost") => P::Aborted,
        (P::Unknown, "ProducerReplaced") => P::Unknown,
        (P::Unknown, "Lost") => P::Dropping,
        (P::Unknown, "Resolved") => P::Committed,
        // The commit of this path was answered with an error, and its producer was replaced to judge it.
        (P::Dropping, "RolledBack") => P::Idle,
        (P::Dropping, "Lost") => P::Dropping,
        _ => return None,
    };
    Some(next)
}

#[test]
fn every_pair_of_stage_and_event_is_legal_as_listed_or_changes_nothing() {
    for phase in PHASES {
        for (name, event) in events() {
            let (mut machine, _) = run(path(phase));
            assert_eq!(machine.phase(), phase, "path");
            let before = machine.clone();
            match (machine.step(at(50), event), legal(phase, name)) {
                (Ok(_), Some(next)) => assert_eq!(machine.phase(), next, "{name} in {phase:?}"),
                (Err(error), None) => {
                    assert_eq!(error, Illegal { phase, event: name });
                    assert_eq!(machine, before, "{name} in {phase:?} changed the machine");
                }
                (found, want) => panic!("{name} in {phase:?}: {found:?}, table says {want:?}"),
            }
        }
    }
}

#[test]
fn a_clean_transaction_applies_all_its_tasks() {
    let (machine, actions) = run(path(Phase::Committed));
    assert_eq!(actions, [Action::Apply(vec![TASK, ALIEN])]);
    assert_eq!(machine.phase(), Phase::Committed);
}

#[test]
fn a_task_of_another_incarnation_or_a_missing_fence_aborts_before_offsets_are_sent() {
    for change in [
        |s: &mut Snapshot| {
            s.owned.insert(TASK, Incarnation { process: 1, acquisition: 2 });
        },
        |s: &mut Snapshot| {
            s.owned.remove(&ALIEN);
        },
        |s: &mut Snapshot| s.fence = None,
    ] {
        let mut stale = snapshot();
        change(&mut stale);
        let (machine, actions) = run(vec![Event::Begin(members()), Event::Due, produced(stale)]);
        assert_eq!((machine.phase(), actions), (Phase::Aborting, vec![Action::Abort]));
    }
}

#[test]
fn a_transaction_without_tasks_is_aborted_never_committed_unfenced() {
    let (machine, actions) = run(vec![Event::Begin(vec![]), Event::Due]);
    assert_eq!((machine.phase(), actions), (Phase::Aborting, vec![Action::Abort]));
}

#[test]
fn whatever_commit_returns_but_success_is_never_aborted() {
    for class in
        [Class::Abortable, Class::RestartProducer, Class::Fenced, Class::Lost, Class::Record, Class::Stop]
    {
        let mut events = path(Phase::Committing);
        events.push(commit(Err(class)));
        let (machine, actions) = run(events);
        assert_eq!(machine.phase(), Phase::Unknown, "{class:?}");
        assert_eq!(actions, [Action::ReplaceProducer(Reason::Unknown)], "{class:?}");
    }
}

#[test]
fn a_retriable_commit_is_repeated_until_its_deadline_and_then_unknown() {
    let (mut machine, _) = run(path(Phase::Committing));
    let again = machine.step(at(100), commit(Err(Class::Retriable)));
    assert_eq!(again, Ok(vec![Action::Commit]));
    let late = machine.step(at(6000), commit(Err(Class::Retriable)));
    assert_eq!(late, Ok(vec![Action::ReplaceProducer(Reason::Unknown)]));
    assert_eq!(machine.phase(), Phase::Unknown);
}

#[test]
fn a_retried_commit_that_succeeds_is_applied_and_its_producer_replaced() {
    let (mut machine, _) = run(path(Phase::Committing));
    let _ = machine.step(at(10), commit(Err(Class::Retriable)));
    assert_eq!(machine.step(at(20), commit(Ok(()))), Ok(vec![Action::Apply(vec![TASK, ALIEN])]));
    let end = machine.step(at(21), Event::Applied);
    assert_eq!(end, Ok(vec![Action::ReplaceProducer(Reason::Impure)]));
    assert_eq!(machine.phase(), Phase::Recycling);
}

#[test]
fn slow_calls_make_the_producer_impure() {
    let slow_offsets = Event::OffsetsReply { took: at(80), result: Ok(()) };
    let (machine, actions) = run(vec![
        Event::Begin(members()),
        Event::Due,
        produced(snapshot()),
        slow_offsets,
        Event::CommitStarted,
        commit(Ok(())),
        Event::Applied,
    ]);
    assert_eq!(machine.phase(), Phase::Recycling);
    assert_eq!(actions, [Action::ReplaceProducer(Reason::Impure)]);
    let slow_abort = Event::AbortReply { took: at(80), result: Ok(()) };
    let (machine, _) =
        run(vec![Event::Begin(members()), Event::Spoiled(Class::Abortable), slow_abort, Event::RolledBack]);
    assert_eq!(machine.phase(), Phase::Recycling);
}

#[test]
fn a_withheld_transaction_leaves_its_producer_pure_and_is_done_again() {
    let withheld = || vec![Event::Begin(members()), Event::Due, Event::Withheld];
    assert_eq!(run(withheld()).1, [Action::Abort]);
    let mut aborted = withheld();
    aborted.push(abort(Ok(())));
    assert!(matches!(run(aborted.clone()).1[..], [Action::Redo(_)]));
    aborted.push(Event::RolledBack);
    assert_eq!(run(aborted).0.phase(), Phase::Idle);
}

#[test]
fn a_slow_flush_makes_the_producer_impure_only_when_an_abort_follows() {
    let slow_flush = || Event::Produced { took: at(80), snapshot: snapshot() };
    let begun = || vec![Event::Begin(members()), Event::Due, slow_flush()];
    let mut aborted = begun();
    aborted.extend([offsets(Ok(())), Event::Lost, abort(Ok(())), Event::RolledBack]);
    assert_eq!(run(aborted).0.phase(), Phase::Recycling);
    let mut committed = begun();
    committed.extend([offsets(Ok(())), Event::CommitStarted, commit(Ok(())), Event::Applied]);
    assert_eq!(run(committed).0.phase(), Phase::Idle);
}

#[test]
fn an_unknown_commit_is_judged_after_fencing_and_only_then_applied_or_redone() {
    let resolve = |event| {
        let mut events = path(Phase::Unknown);
        events.extend([Event::ProducerReplaced, event]);
        run(events).1
    };
    assert_eq!(resolve(judged(Verdict::Committed, &[])), [Action::Apply(vec![TASK, ALIEN])]);
    let taken = resolve(judged(Verdict::Committed, &[ALIEN]));
    assert_eq!(taken, [Action::Apply(vec![TASK]), Action::Drop(vec![ALIEN])]);
    let aborted = resolve(judged(Verdict::Aborted, &[ALIEN]));
    assert_eq!(aborted, [Action::Redo(vec![TASK]), Action::Drop(vec![ALIEN])]);
    assert_eq!(resolve(judged(Verdict::MovedOn, &[])), [Action::Drop(vec![TASK, ALIEN])]);
}

#[test]
fn a_loss_before_the_outcome_is_known_leaves_it_to_the_next_owner_and_fences_nobody() {
    for phase in [Phase::Unknown, Phase::Fencing] {
        let (mut machine, _) = run(path(phase));
        assert_eq!(machine.step(at(50), Event::Lost), Ok(vec![Action::Drop(vec![TASK, ALIEN])]), "{phase:?}");
        let rest = machine.step(at(51), Event::RolledBack);
        assert_eq!(rest, Ok(vec![Action::ReplaceProducer(Reason::Impure)]), "{phase:?}");
        assert_eq!(machine.phase(), Phase::Recycling, "the producer is replaced before the next transaction");
    }
}

#[test]
fn a_loss_after_the_new_producer_is_there_drops_what_was_not_judged() {
    let mut events = path(Phase::Unknown);
    events.extend([Event::ProducerReplaced, Event::Lost]);
    let (mut machine, actions) = run(events);
    assert_eq!(actions, [Action::Drop(vec![TASK, ALIEN])]);
    assert_eq!(machine.step(at(50), Event::RolledBack), Ok(vec![]));
    assert_eq!(machine.phase(), Phase::Idle);
}

#[test]
fn a_loss_before_the_commit_aborts_and_drops_everything() {
    let (machine, actions) =
        run(vec![Event::Begin(members()), Event::Due, Event::Lost, produced(snapshot())]);
    assert_eq!((machine.phase(), actions), (Phase::Aborting, vec![Action::Abort]));
    let (_, actions) = run(vec![Event::Begin(members()), Event::Lost, abort(Ok(()))]);
    assert_eq!(actions, [Action::Redo(vec![]), Action::Drop(vec![TASK, ALIEN])]);
}

#[test]
fn an_unknown_member_is_lost_and_never_redone() {
    let mut events = path(Phase::Sending);
    events.extend([produced(snapshot()), offsets(Err(Class::Lost)), abort(Ok(()))]);
    assert_eq!(run(events).1, [Action::Redo(vec![]), Action::Drop(vec![TASK, ALIEN])]);
}

#[test]
fn being_fenced_twice_without_a_loss_between_stops_the_process() {
    let mut machine = Commit::new(limits());
    let fenced = |machine: &mut Commit, ms| {
        for event in [Event::Begin(members()), Event::Due] {
            assert!(machine.step(at(ms), event).is_ok());
        }
        machine.step(at(ms), Event::Spoiled(Class::Fenced))
    };
    assert_eq!(fenced(&mut machine, 0), Ok(vec![Action::ReplaceProducer(Reason::Fatal)]));
    assert!(machine.step(at(1), Event::ProducerReplaced).is_ok());
    assert!(machine.step(at(1), Event::RolledBack).is_ok());
    let second = fenced(&mut machine, 9000);
    assert!(matches!(second.as_deref(), Ok([Action::Stop(why)]) if why.contains("instance.id")));
}
