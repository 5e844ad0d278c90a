//! What the brokers of a cluster are told, and their empty data folders.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::broker::{Account, Broker, tool};

/// Ports that the system gives to no client, so that the port of a killed broker is still free at its next start.
const PORTS: std::ops::Range<u16> = 24_000..32_000;
/// 16 bytes in URL-safe base64.
const CLUSTER_ID: &str = "MAAAAAAAAAAAAAAAAAAAAA";
/// What a node logs: brokers that come and go have much to say.
const LOGGING: &str = "rootLogger.level=WARN
rootLogger.appenderRef.c.ref=c
appender.c.type=Console
appender.c.name=c
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
";

/// Who of the brokers votes on metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quorum {
    /// All: one may fail, whichever it is.
    All,
    /// Broker 1: the others may fail together and their replicas still leave the in-sync sets.
    First,
}

/// What is to be started.
#[derive(Debug)]
pub(crate) struct Layout {
    brokers: usize,
    quorum: Quorum,
    more: Vec<(String, String)>,
}

impl Layout {
    /// One broker, with settings beyond the usual ones.
    pub(crate) fn one(more: &[(&str, &str)]) -> Self {
        Self { brokers: 1, quorum: Quorum::First, more: owned(more) }
    }

    /// Three brokers; internal topics have three replicas, two of them enough.
    pub(crate) fn three(quorum: Quorum, more: &[(&str, &str)]) -> Self {
        Self { brokers: 3, quorum, more: owned(more) }
    }

    pub(super) fn brokers(&self) -> usize {
        self.brokers
    }

    /// Lays out a folder for each broker below `folder`.
    pub(super) fn write(&self, folder: &Path, account: &Account) -> Vec<Broker> {
        let ports: Vec<_> = (0..self.brokers).map(|_| (free_port(), free_port())).collect();
        let voters = match self.quorum {
            Quorum::All => self.brokers,
            Quorum::First => 1,
        };
        let quorum: Vec<_> = (1..).zip(&ports).take(voters).map(|(id, (_, port))| voter(id, *port)).collect();
        let mut brokers = Vec::new();
        for (id, (port, controller)) in (1..).zip(ports) {
            let home = folder.join(id.to_string());
            let controller = (usize::try_from(id).unwrap_or(0) <= voters).then_some(controller);
            let mut properties = self.properties(id, port, controller, &home);
            properties.push(("controller.quorum.voters".to_owned(), quorum.join(",")));
            lay_out(&home, id, &properties);
            brokers.push(Broker::new(id, port, home, account));
        }
        account.own(folder);
        brokers
    }

    fn properties(&self, id: i32, port: u16, controller: Option<u16>, home: &Path) -> Vec<(String, String)> {
        let (roles, control) = match controller {
            Some(port) => ("broker,controller", format!(",CONTROLLER://127.0.0.1:{port}")),
            None => ("broker", String::new()),
        };
        let (replicas, in_sync) = if self.brokers < 3 { ("1", "1") } else { ("3", "2") };
        let own = [
            ("process.roles", roles.to_owned()),
            ("node.id", id.to_string()),
            ("listeners", format!("PLAINTEXT://127.0.0.1:{port}{control}")),
            ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
            ("log.dirs", home.join("data").display().to_string()),
            ("offsets.topic.replication.factor", replicas.to_owned()),
            ("transaction.state.log.replication.factor", replicas.to_owned()),
            ("share.coordinator.state.topic.replication.factor", replicas.to_owned()),
            ("transaction.state.log.min.isr", in_sync.to_owned()),
            ("share.coordinator.state.topic.min.isr", in_sync.to_owned()),
            ("min.insync.replicas", in_sync.to_owned()),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        own.chain(owned(&ALL)).chain(self.more.iter().cloned()).collect()
    }
}

/// What every broker is told: few internal partitions, fast elections, expired transactions ended within a second.
const ALL: [(&str, &str); 14] = [
    ("controller.listener.names", "CONTROLLER"),
    ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("auto.create.topics.enable", "false"),
    ("offsets.topic.num.partitions", "3"),
    ("transaction.state.log.num.partitions", "3"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("log.cleaner.dedupe.buffer.size", "8388608"),
    // A dead broker is noticed after this, instead of 9 s; less would take a busy machine for a dead broker.
    ("broker.session.timeout.ms", "6000"),
    ("broker.heartbeat.interval.ms", "500"),
    // Of the brokers among themselves, so that a frozen one does not hold up the others for 30 s.
    ("controller.socket.timeout.ms", "4000"),
    ("replica.socket.timeout.ms", "4000"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
];

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn voter(id: i32, port: u16) -> String {
    format!("{id}@127.0.0.1:{port}")
}

/// Writes a broker's settings and an empty data folder of its own.
fn lay_out(home: &Path, id: i32, properties: &[(String, String)]) {
    let mut text: Vec<_> = properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    text.sort_unstable();
    let data = home.join("data");
    let meta = format!("version=1\ncluster.id={CLUSTER_ID}\nnode.id={id}\n");
    let written = fs::create_dir_all(&data)
        .and_then(|()| fs::write(home.join("server.properties"), text.concat()))
        .and_then(|()| fs::write(home.join("log4j2.properties"), LOGGING))
        .and_then(|()| fs::write(data.join("meta.properties"), meta))
        .and_then(|()| fs::write(data.join("bootstrap.checkpoint"), bootstrap()));
    written.unwrap_or_else(|error| panic!("{}: {error}", home.display()));
}

/// Returns the first metadata of a cluster (feature levels), which Kafka's tool writes; the tool runs once.
fn bootstrap() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("folder: {error}"));
        let (home, data) = (folder.path(), folder.path().join("data"));
        let properties = format!(
            "process.roles=controller\nnode.id=1\nlisteners=CONTROLLER://127.0.0.1:1\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:1\nlog.dirs={}\n",
            data.display()
        );
        let path = home.join("server.properties");
        let written =
            fs::write(&path, properties).and_then(|()| fs::write(home.join("log4j2.properties"), LOGGING));
        written.unwrap_or_else(|error| panic!("{}: {error}", home.display()));
        let path = path.display().to_string();
        tool(home, "kafka.tools.StorageTool", &["format", "-t", CLUSTER_ID, "-c", &path]);
        fs::read(data.join("bootstrap.checkpoint")).unwrap_or_else(|error| panic!("bootstrap: {error}"))
    })
}

/// Returns a port that nobody listens on and that was not given out before.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let width = u32::from(PORTS.end - PORTS.start);
    // Processes begin at different places.
    let from = std::process::id().wrapping_mul(97) % width;
    let all = (0..width).map(|step| PORTS.start + u16::try_from((from + step) % width).unwrap_or(0));
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let found = all.filter(|port| !given.contains(port)).find(is_free);
    let port = found.unwrap_or_else(|| panic!("no port of {PORTS:?} is free"));
    given.insert(port);
    port
}
