//! A process that stalls with a transaction open, until the coordinator aborts it. Its membership survives.

use std::time::{Duration, Instant};

use crate::rig::{Figures, PATIENCE, SETTINGS, failed_checks, finish_load, start_load};
use crate::support::{Background, Ends, Node, World, group_lag, wait_drained, wait_until};

/// Longer than every stall here. A later setting wins.
const SESSION: (&str, &str) = ("MILLPOND_MEMBERSHIP__SESSION_TIMEOUT", "40s");
/// Each transaction stays open for some ms more, so that a stop hits one soon.
const LINGER: (&str, &str) = ("FAILPOINTS", "txn::after_send_offsets=sleep(30)");
/// One transaction stalls with its offsets sent. The transaction timeout is 4 s and is looked at every second.
const STALLING: (&str, &str) = ("FAILPOINTS", "txn::after_send_offsets=3*off->1*sleep(16000)->off");
/// A transaction that stays open as long is the stalled one.
const STALLED: Duration = Duration::from_secs(2);
/// A transaction that is closed sooner than this after it was seen open was not closed by the stalled process.
const STALL: Duration = Duration::from_secs(15);

struct Scene {
    world: World,
    node: Node,
    load: Option<Background>,
}

impl Scene {
    fn start(name: &str, extra: &[(&str, &str)]) -> Self {
        let world = World::with(name, &[&SETTINGS[..], &[SESSION]].concat());
        let mut node = Node::start(&world, "one", extra);
        node.wait_ready(PATIENCE);
        let load = start_load(&world, 12, 800);
        wait_until("work is under way", PATIENCE, || node.committed() > 200);
        Self { world, node, load: Some(load) }
    }

    /// Returns the changelog partitions that a transaction has open.
    fn open(&self) -> Vec<usize> {
        Ends::of(&self.world, &self.world.changelog()).open()
    }

    /// Stops the process while it has a transaction open, which the coordinator then aborts, and lets it go on.
    fn stall_by_signal(&self) {
        let begun = Instant::now();
        loop {
            self.node.pause();
            // What was under way to the broker arrives; what is open then stays so.
            std::thread::sleep(Duration::from_millis(200));
            if !self.open().is_empty() {
                break;
            }
            self.node.resume();
            assert!(begun.elapsed() < PATIENCE, "void: no transaction was open at any stop");
            std::thread::sleep(Duration::from_millis(17));
        }
        wait_until("the coordinator aborts the transaction", PATIENCE, || self.open().is_empty());
        self.node.resume();
    }

    /// Waits until a failpoint has stalled a transaction and the coordinator has aborted it.
    fn stall_by_failpoint(&self) {
        let (mut since, mut stalled) = (Instant::now(), Vec::new());
        wait_until("a transaction stalls", PATIENCE, || {
            let open = self.open();
            stalled.retain(|partition| open.contains(partition));
            if stalled.is_empty() {
                (since, stalled) = (Instant::now(), open);
            }
            !stalled.is_empty() && since.elapsed() >= STALLED
        });
        wait_until("the coordinator aborts the transaction", PATIENCE, || {
            !self.open().iter().any(|partition| stalled.contains(partition))
        });
        assert!(since.elapsed() < STALL, "void: the process itself may have ended it");
    }

    /// Waits until everything is processed, and lets the oracle judge.
    fn finish(mut self) -> Figures {
        self.load.take().into_iter().for_each(finish_load);
        wait_until("the input is processed", PATIENCE, || {
            assert!(self.node.is_alive(), "the process ended:\n{}", self.node.log());
            group_lag(&self.world) == 0
        });
        wait_drained(&self.world, PATIENCE);
        let figures = Figures::of(&self.node);
        let log = self.node.log();
        assert_eq!(self.node.stop().code(), Some(0), "{log}");
        assert!(!log.contains("membership lost"), "void: the membership did not survive\n{log}");
        self.world.verify(&["one"]);
        eprintln!("{}: {figures}", self.world.app);
        figures
    }

    /// Waits until a process that is wrong on purpose is through or has ended by itself; the oracle must object.
    fn must_be_noticed(mut self, mutant: &str) {
        self.load.take().into_iter().for_each(finish_load);
        // Without more input nothing would move the offsets beyond a transaction that never was.
        finish_load(start_load(&self.world, 1, 500));
        wait_until("everything is processed, or the process ended", PATIENCE, || {
            !self.node.is_alive() || group_lag(&self.world) == 0
        });
        if self.node.is_alive() {
            std::thread::sleep(Duration::from_secs(1));
            self.node.stop();
        }
        let output = self.world.command("one", &["verify"]).output();
        let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(3), "the oracle did not notice `{mutant}`:\n{text}");
        eprintln!("{mutant}: noticed by {}", failed_checks(&text));
    }
}

#[test]
fn a_process_that_is_stopped_beyond_the_transaction_timeout_does_its_transaction_again() {
    let scene = Scene::start("txn-stopped", &[LINGER]);
    scene.stall_by_signal();
    let figures = scene.finish();
    assert!(figures.recycles >= 1.0, "void: the process noticed nothing: {figures}");
}

#[test]
fn a_thread_that_stalls_beyond_the_transaction_timeout_finds_its_commit_aborted() {
    let scene = Scene::start("txn-stalled", &[STALLING]);
    scene.stall_by_failpoint();
    let figures = scene.finish();
    assert!(figures.aborted >= 1, "void: no unknown commit was found aborted: {figures}");
}

#[test]
fn control_a_timed_out_transaction_that_is_not_done_again_is_noticed() {
    let scene = Scene::start("no-redo", &[LINGER, ("MILLPOND_MUTANT", "no-redo+committed-unchecked")]);
    scene.stall_by_signal();
    scene.must_be_noticed("no-redo");
}

#[test]
fn control_a_timed_out_transaction_taken_for_committed_is_noticed() {
    let scene = Scene::start(
        "taken-committed",
        &[STALLING, ("MILLPOND_MUTANT", "unknown-is-committed+committed-unchecked")],
    );
    scene.stall_by_failpoint();
    scene.must_be_noticed("unknown-is-committed");
}
