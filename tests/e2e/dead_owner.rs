//! An instance dies in the middle of a transaction; another one takes over without waiting for its timeout.

use std::time::{Duration, Instant};

use rdkafka::producer::Producer;

use crate::support::{Ends, Node, World, kafka, wait_drained, wait_until};

/// How long the broker would keep the dead instance's transaction open.
const TRANSACTION_TIMEOUT: &str = "90s";
/// Session timeout of a member plus what fencing and restoring may take: far below `TRANSACTION_TIMEOUT`.
const READY_MAX: Duration = Duration::from_secs(6 + 15);

/// Kills `victim`, once it has `tasks` tasks, between sending its offsets and its commit; returns when.
fn die_in_a_transaction(world: &World, tasks: usize) -> Instant {
    let crash = [("FAILPOINTS", "txn::after_send_offsets=8*off->panic")];
    let mut victim = Node::start(world, "victim", &crash);
    wait_until("the victim has its tasks", Duration::from_secs(30), || victim.runs(tasks));
    let owned: Vec<usize> =
        victim.stores("restoredFrom").keys().filter_map(|id| id.split_once('_')?.1.parse().ok()).collect();
    let mut load =
        world.start_load(&["--users", "300", "--orders", "40000", "--rate", "5000", "--seed", "51"]);
    let status = victim.wait_end(Duration::from_secs(60));
    let died = Instant::now();
    assert!(!status.success() && victim.log().contains("failpoint txn::after_send_offsets"));
    let open = Ends::of(world, &world.changelog()).open();
    assert!(
        open.iter().any(|partition| owned.contains(partition)),
        "{open:?} of {owned:?} are open: nothing is proven"
    );
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
    died
}

#[test]
fn a_newcomer_fences_the_dead_owner_of_an_open_transaction() {
    let world = World::with("newcomer", &[("MILLPOND_TRANSACTION__TIMEOUT", TRANSACTION_TIMEOUT)]);
    let died = die_in_a_transaction(&world, 4);
    assert!(Ends::of(&world, &world.changelog()).is_open(), "the transaction ended by itself");
    let begun = Instant::now();
    let mut heir = Node::start(&world, "heir", &[]);
    heir.wait_ready(READY_MAX);
    eprintln!(
        "ready {} ms after its start, {} ms after the death",
        begun.elapsed().as_millis(),
        died.elapsed().as_millis()
    );
    assert!(heir.log().contains("dead producer fenced"), "nobody was fenced:\n{}", heir.log());
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(heir.stop().code(), Some(0), "{}", heir.log());
    world.verify(&["heir"]);
}

#[test]
fn a_survivor_fences_the_dead_owner_of_an_open_transaction() {
    let world = World::with("survivor", &[("MILLPOND_TRANSACTION__TIMEOUT", TRANSACTION_TIMEOUT)]);
    let mut heir = Node::start(&world, "heir", &[]);
    heir.wait_ready(Duration::from_secs(30));
    let died = die_in_a_transaction(&world, 2);
    wait_until("the survivor has all tasks", READY_MAX, || heir.tasks() == 4);
    heir.wait_ready(READY_MAX.saturating_sub(died.elapsed()));
    eprintln!("ready {} ms after the death", died.elapsed().as_millis());
    assert!(heir.log().contains("dead producer fenced"), "nobody was fenced:\n{}", heir.log());
    wait_drained(&world, Duration::from_secs(60));
    assert_eq!(heir.stop().code(), Some(0), "{}", heir.log());
    world.verify(&["heir"]);
}

#[test]
fn a_transaction_that_nobody_ends_is_named_with_its_cure() {
    let wait = Duration::from_secs(60);
    let world = World::with("hanging", &[("MILLPOND_TRANSACTION__TIMEOUT", "4s")]);
    world.load(&["--users", "50", "--orders", "1000", "--rate", "0", "--seed", "52"]);
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(wait);
    wait_drained(&world, wait);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    let foreign = kafka::open_transaction(&world, &world.changelog(), 2);
    let mut node = Node::start(&world, "one", &[]);
    let said = |what: &str| {
        let status = node.status().unwrap_or_default();
        status["lastError"].as_str().is_some_and(|said| said.contains(what))
    };
    wait_until("it says what pins the task", wait, || said("task 0_2: its changelog is pinned"));
    let begun = Instant::now();
    assert!(!said("millpond transactions show"), "too early for it");
    wait_until("the others run meanwhile", wait, || {
        node.phases() == ["running", "running", "restoring", "running"]
    });
    wait_until("it names the cure", wait, || said("`millpond transactions show`"));
    assert!(begun.elapsed() > Duration::from_secs(35), "within its timeout: {:?}", begun.elapsed());
    assert_eq!(node.get("/readyz").map(|(code, _)| code), Some(503), "not ready");
    let shown = world.ok(&["transactions", "show"]);
    let line =
        shown.lines().find(|line| line.contains(&world.changelog())).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains(" 2 ") && line.ends_with("ongoing"), "its own coordinator knows of it: {shown}");
    foreign.abort_transaction(wait).unwrap_or_else(|error| panic!("{error}"));
    node.wait_ready(wait);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}
