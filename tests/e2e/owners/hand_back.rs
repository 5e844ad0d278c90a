//! The hand-back: a slow thread's process is thrown out, another owns its tasks, commits them and gives them back, and then
//! the slow thread wakes with its old transaction.

use std::time::Duration;

use super::{LEAVES, Load, ONE_THREAD, PATIENCE, finish, wait_work};
use crate::support::{Ends, Node, Verdict, World, group_lag, wait_drained, wait_until};

/// How long the thread sleeps: a session, and what the other one needs to take over, to work and to leave.
const SLEEP_MS: u64 = 35_000;
/// Transactions before it falls asleep.
const BEFORE: i64 = 8;
/// Nothing ends a transaction by its age here: only what is to be proven stops it.
const TRANSACTION_TIMEOUT: (&str, &str) = ("MILLPOND_TRANSACTION__TIMEOUT", "60s");
/// Orders per second.
const RATE: u64 = 600;

/// Rules that stop the slow thread, each behind the other, switched off: joining again only when everything lost is dropped;
/// aborting whatever was open at a loss; comparing what is committed before a transaction is written.
const BARE: &str = "new-fence-before-dropped+commit-after-lost+committed-unchecked";

/// What the other process saw when it took over.
struct Seen {
    /// It found a transaction open, and ended it.
    fenced: usize,
    /// Transactions that the slow process gave up itself.
    aborted: i64,
}

fn hand_back(name: &str, point: &str, variant: &[(&str, &str)]) -> Seen {
    let world = World::with(name, &[TRANSACTION_TIMEOUT]);
    let sleeps = format!("{point}={BEFORE}*off->1*sleep({SLEEP_MS})->off");
    let extra = [&[("FAILPOINTS", sleeps.as_str()), ONE_THREAD], variant].concat();
    let mut slow = Node::start(&world, "slow", &extra);
    slow.wait_ready(PATIENCE);
    let load = Load::start(&world, RATE, &[]);
    wait_until("the thread falls asleep", PATIENCE, || slow.transactions("committed") >= BEFORE);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(slow.transactions("committed"), BEFORE, "void: the thread is awake");
    let at_sleep = slow.committed();
    slow.pause();
    let is_open = Ends::of(&world, &world.changelog()).is_open();
    assert_eq!(is_open, point != "txn::before_produce", "void: {point} is another moment than it was");
    let mut heir = Node::start(&world, "heir", &[LEAVES]);
    wait_until("the heir has all tasks", PATIENCE, || heir.runs(4));
    wait_until("the heir commits", PATIENCE, || heir.committed() > at_sleep + 300);
    slow.resume();
    wait_until("the slow process knows it", PATIENCE, || slow.logged("membership lost") == 1);
    let by_heir = heir.committed();
    assert_eq!(heir.stop().code(), Some(0), "{}", heir.log());
    // The tasks are nobody's: as soon as the thread is awake, they are its process's again.
    assert_eq!(slow.logged("task closed"), 0, "void: the thread woke before its tasks were given back");
    wait_until("the tasks are back", PATIENCE, || slow.runs(4));
    wait_until("work goes on", PATIENCE, || slow.committed() > by_heir);
    wait_work(&slow);
    eprintln!("{name}: {} orders committed by the heir meanwhile", by_heir - at_sleep);
    let seen = Seen { fenced: heir.logged("dead producer fenced"), aborted: slow.transactions("aborted") };
    finish(&world, load, &mut [&mut slow], &["slow", "heir"]);
    seen
}

#[test]
fn a_transaction_filled_before_a_hand_back_is_given_up_after_it() {
    // Nothing of it is in Kafka yet: its producer is fenced by nobody and may still commit.
    let seen = hand_back("back-filled", "txn::before_produce", &[]);
    assert_eq!(seen.fenced, 0, "void: the producer was fenced before its thread woke");
    assert!(seen.aborted >= 1, "the old transaction was not given up");
}

#[test]
fn a_transaction_with_its_offsets_sent_is_ended_by_the_next_owner() {
    let seen = hand_back("back-sent", "txn::after_send_offsets", &[]);
    assert!(seen.fenced >= 1, "void: nothing was fenced");
}

/// Lets the process join and own its tasks again while its slow thread still sleeps in the old transaction, which then wakes.
/// Returns the oracle's judgement.
fn too_early(name: &str, variants: &str) -> Verdict {
    let world = World::with(name, &[TRANSACTION_TIMEOUT]);
    // The four restores of the start, then those of the return, which wait: a store that is open cannot be opened.
    let asleep = SLEEP_MS + 8_000;
    let points = format!(
        "txn::before_produce={BEFORE}*off->1*sleep({SLEEP_MS})->off;restore::begins=4*off->1*sleep({asleep})->off"
    );
    let mut slow =
        Node::start(&world, "slow", &[("FAILPOINTS", &points), ONE_THREAD, ("MILLPOND_MUTANT", variants)]);
    slow.wait_ready(PATIENCE);
    let load = Load::start(&world, RATE, &[]);
    wait_until("the thread falls asleep", PATIENCE, || slow.transactions("committed") >= BEFORE);
    let at_sleep = slow.committed();
    slow.pause();
    let mut heir = Node::start(&world, "heir", &[LEAVES]);
    wait_until("the heir has all tasks", PATIENCE, || heir.runs(4));
    wait_until("the heir commits", PATIENCE, || heir.committed() > at_sleep + 300);
    slow.resume();
    assert_eq!(heir.stop().code(), Some(0), "{}", heir.log());
    wait_until("the slow process owns its tasks again", PATIENCE, || slow.phases() == ["restoring"; 4]);
    assert_eq!(slow.logged("task closed"), 0, "void: the thread woke before its tasks were given back");
    assert_eq!(slow.transactions("committed"), BEFORE, "void: the thread is awake");
    load.end();
    wait_until("the thread wakes", PATIENCE, || slow.logged("task closed") >= 4);
    // Whatever it does with them, or says of them.
    wait_until("it has its tasks, or ended", PATIENCE, || !slow.is_alive() || group_lag(&world) == 0);
    if slow.is_alive() {
        wait_drained(&world, PATIENCE);
        slow.stop();
    }
    Verdict::of(&world, "slow")
}

#[test]
fn another_incarnation_alone_stops_a_slow_thread_whose_process_owns_the_task_again() {
    too_early("back-early", BARE).assert_clean();
}

#[test]
fn control_without_incarnations_a_slow_thread_commits_what_another_committed() {
    let verdict = too_early("back-torn", &format!("{BARE}+no-incarnation"));
    assert_eq!(verdict.code, Some(3), "the oracle did not notice:\n{}", verdict.text);
    eprintln!("no-incarnation: noticed by {:?}", verdict.failed());
}
