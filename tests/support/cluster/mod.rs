//! Kafka brokers of a test's own: killed, stopped, started again, and asked who of them does what.
//!
//! One or three real brokers in KRaft mode on 127.0.0.1. They run as the account that the servers of the tests run as, and
//! they die with the thread that started them, also when it panics or the whole process is killed: so a broker is started
//! on the test's own thread. No more than [`Turn`] allows run at the same time.

mod broker;
mod inject;
mod layout;
mod roles;
mod turn;

use std::time::{Duration, Instant};

use broker::{Account, Broker};
pub(crate) use layout::{Layout, Quorum};
pub(crate) use roles::Role;
use turn::Turn;

/// Longest wait for brokers that start, or for replicas to come back, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Brokers that nothing else uses; killed and deleted when dropped.
pub(crate) struct Cluster {
    // Field order is drop order: the brokers before their data and before the next one's turn.
    brokers: Vec<Broker>,
    _folder: tempfile::TempDir,
    _turn: Turn,
}

impl Cluster {
    /// Starts the brokers and waits until each knows all others.
    pub(crate) fn start(layout: &Layout) -> Self {
        let turn = Turn::take(layout.brokers());
        let folder = tempfile::Builder::new().prefix("millpond-kafka-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("folder for brokers: {error}"));
        let account = Account::of_servers();
        let brokers = layout.write(folder.path(), &account);
        let mut cluster = Self { brokers, _folder: folder, _turn: turn };
        cluster.brokers.iter_mut().for_each(Broker::start);
        cluster.wait_served();
        cluster
    }

    /// Returns the bootstrap servers.
    pub(crate) fn addresses(&self) -> String {
        let addresses: Vec<_> = self.brokers.iter().map(|broker| broker.address().to_string()).collect();
        addresses.join(",")
    }

    /// Kills a broker as a crash would, and waits until it is gone.
    pub(crate) fn kill(&mut self, id: i32) {
        self.broker(id).kill();
    }

    /// Starts a killed broker again, without waiting until it serves.
    pub(crate) fn restart(&mut self, id: i32) {
        self.broker(id).start();
    }

    /// Stops a broker as a long pause of its machine would; its connections stay open.
    pub(crate) fn freeze(&mut self, id: i32) {
        self.broker(id).signal("STOP");
    }

    /// Lets a frozen broker go on.
    pub(crate) fn thaw(&mut self, id: i32) {
        self.broker(id).signal("CONT");
    }

    fn broker(&mut self, id: i32) -> &mut Broker {
        let found = self.brokers.iter_mut().find(|broker| broker.id() == id);
        found.unwrap_or_else(|| panic!("there is no broker {id}"))
    }

    /// Waits until every broker that runs knows all others that run.
    pub(crate) fn wait_served(&mut self) {
        self.wait("the brokers serve", |cluster| {
            let running = cluster.running();
            running.iter().all(|broker| cluster.known_to(broker) == Some(running.len()))
        });
    }

    /// Waits until every partition has a leader and all of its replicas in sync.
    pub(crate) fn wait_in_sync(&mut self) {
        self.wait_served();
        self.wait("all replicas are in sync", Self::is_in_sync);
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            if let Some(ended) = self.brokers.iter_mut().find_map(Broker::ended) {
                panic!("{what}: {ended}");
            }
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{}", self.logs());
            std::thread::sleep(LOOK);
        }
    }

    fn running(&self) -> Vec<&Broker> {
        self.brokers.iter().filter(|broker| broker.is_running()).collect()
    }

    /// Returns the last lines of the brokers' logs.
    pub(crate) fn logs(&self) -> String {
        let logs: Vec<_> = self.brokers.iter().map(Broker::last_lines).collect();
        logs.join("\n")
    }
}
