//! The processes that get killed: this test binary runs itself again.
//!
//! A child writes a line `@<number>` to its standard output after each step that has returned.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use millpond_state::Directory;

const ROLE: &str = "MILLPOND_STATE_TEST_ROLE";
const DIR: &str = "MILLPOND_STATE_TEST_DIR";
const SEED: &str = "MILLPOND_STATE_TEST_SEED";

/// Longest wait for a child's first step.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Applies batches until killed.
    Apply,
    /// Restores a changelog to its end, then exits.
    Restore,
    /// Holds a state directory until killed.
    Hold,
}

/// A running child and what it says.
pub(crate) struct Running {
    child: Child,
    first: Receiver<()>,
    reader: JoinHandle<Option<u64>>,
}

/// Starts a child.
pub(crate) fn start(role: Role, dir: &Path, seed: u64) -> Running {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::entry", "--nocapture"])
        .env(ROLE, format!("{role:?}"))
        .env(DIR, dir)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, first) = channel();
    let reader = thread::spawn(move || {
        let mut last = None;
        for line in lines {
            // A line cut short by the kill is complete up to here or has no number.
            if let Some(number) = line.ok().and_then(|line| line.strip_prefix('@')?.parse().ok()) {
                last = Some(number);
                let _ = tell.send(());
            }
        }
        last
    });
    Running { child, first, reader }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the first step, then for `more`, and kills with SIGKILL. Returns the last step that it
    /// reported.
    pub(crate) fn kill_after(self, more: Duration) -> Option<u64> {
        self.await_first_step();
        thread::sleep(more);
        self.kill()
    }

    /// Kills with SIGKILL at once.
    pub(crate) fn kill(mut self) -> Option<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.join().unwrap()
    }

    pub(crate) fn await_first_step(&self) {
        self.first.recv_timeout(START_TIMEOUT).expect("the child took no step");
    }

    /// Whether the child has ended by itself, successfully.
    pub(crate) fn has_finished(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some_and(|status| {
            assert!(status.success(), "the child failed: {status}");
            true
        })
    }
}

/// Reports a step.
pub(crate) fn report(step: u64) {
    let mut out = std::io::stdout().lock();
    // One write: the parent must not see a number cut in two by a kill.
    out.write_all(format!("@{step}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The body of child processes, which other tests start with a role in the environment; without one it has nothing to do.
#[test]
fn entry() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    match role.as_str() {
        "Apply" => crate::crash::apply_for_ever(&dir, seed),
        "Restore" => crate::restore::restore_to_the_end(&dir, seed),
        "Hold" => {
            let directory = Directory::open(&dir, "app", None).unwrap();
            report(0);
            thread::sleep(Duration::from_secs(60));
            drop(directory);
        }
        other => panic!("unknown role {other}"),
    }
}
