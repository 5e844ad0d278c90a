//! One application behind a proxy, with load on its way past the proxy.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::support::{Node, World, wait_drained, wait_until};

/// Timeouts, shorter than their defaults and in the same relation.
const SETTINGS: [(&str, &str); 3] = [
    ("MILLPOND_TRANSACTION__TIMEOUT", "4s"),
    ("MILLPOND_MEMBERSHIP__SESSION_TIMEOUT", "6s"),
    ("MILLPOND_COMMIT__INTERVAL", "50ms"),
];
/// Longest wait for a start, or for a drained input.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An application whose process reaches Kafka only through the proxy.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) proxy: Proxy,
    pub(crate) node: Node,
    began: Instant,
    name: String,
}

impl Rig {
    /// Starts the application and waits until it runs.
    pub(crate) fn start(name: &str, extra: &[(&str, &str)]) -> Self {
        let world = World::with(name, &SETTINGS);
        let proxy = Proxy::start(&world.brokers);
        let node = start_node(&world, &proxy, extra);
        let mut rig = Self { world, proxy, node, began: Instant::now(), name: name.to_owned() };
        rig.node.wait_ready(PATIENCE);
        rig
    }

    /// Starts the process again, after the one before has ended.
    pub(crate) fn restart(&mut self, extra: &[(&str, &str)]) {
        self.node = start_node(&self.world, &self.proxy, extra);
        self.node.wait_ready(PATIENCE);
    }

    /// Starts a load that takes about `seconds`, and waits until work is under way.
    pub(crate) fn load(&self, seconds: u64, rate: u64) -> Child {
        let (orders, rate) = ((seconds * rate).to_string(), rate.to_string());
        let load = ["--users", "300", "--orders", &orders, "--rate", &rate, "--seed", "7"];
        let before = self.node.committed();
        let load = self.world.start_load(&load);
        wait_until("work is under way", PATIENCE, || self.node.committed() > before + 200);
        load
    }

    /// Waits for the load and until all of it is processed.
    pub(crate) fn drain(&self, load: Child) {
        finish_load(load);
        wait_drained(&self.world, &self.node, PATIENCE);
    }

    /// Waits for the load and its processing, stops, lets the oracle judge, and prints what the faults cost.
    pub(crate) fn finish(mut self, load: Child) {
        self.drain(load);
        let figures = Figures::of(&self.node);
        assert_eq!(self.node.stop().code(), Some(0), "{}", self.node.log());
        self.world.verify(&["one"]);
        eprintln!("{}: {figures}; clean after {:.0?}", self.name, self.began.elapsed());
    }

    /// Returns the oracle's exit code and what it said.
    pub(crate) fn judge(&self) -> (Option<i32>, String) {
        let output = self.world.command("one", &["verify"]).output();
        let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }
}

fn start_node(world: &World, proxy: &Proxy, extra: &[(&str, &str)]) -> Node {
    let brokers = proxy.brokers();
    let mut all = vec![("MILLPOND_KAFKA__BROKERS", brokers.as_str())];
    all.extend_from_slice(extra);
    Node::start(world, "one", &all)
}

/// Waits for the end of a load, which must have been written whole.
pub(crate) fn finish_load(mut load: Child) {
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
}

/// What faults cost a process, from its log and metrics.
pub(crate) struct Figures {
    committed: usize,
    aborted: usize,
    dropped: usize,
    recycles: f64,
    transactions: f64,
    /// Times from a producer's end to the start of its successor, ms, sorted.
    replaced_ms: Vec<u64>,
}

impl Figures {
    /// Reads them.
    pub(crate) fn of(node: &Node) -> Self {
        let log = node.log();
        let resolved = |verdict: &str| {
            let fits = |line: &&str| line.contains("unknown commit resolved") && line.contains(verdict);
            log.lines().filter(fits).count()
        };
        let took = |line: &str| -> Option<u64> {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let fields = line.get("fields").unwrap_or(&line);
            (fields.get("message")? == "producer runs").then(|| fields.get("ms")?.as_u64())?
        };
        let mut replaced_ms: Vec<u64> = log.lines().filter_map(took).collect();
        replaced_ms.sort_unstable();
        Self {
            committed: resolved("verdict: Committed"),
            aborted: resolved("verdict: Aborted"),
            dropped: resolved("verdict: MovedOn"),
            recycles: node.metric("millpond_producer_recycles_total"),
            transactions: node.metric("millpond_transactions_total"),
            replaced_ms,
        }
    }

    /// Returns how many unknown commits were resolved.
    pub(crate) fn resolved(&self) -> usize {
        self.committed + self.aborted + self.dropped
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { committed, aborted, dropped, recycles, transactions, replaced_ms } = self;
        let middle = replaced_ms.get(replaced_ms.len() / 2).copied().unwrap_or(0);
        let most = replaced_ms.last().copied().unwrap_or(0);
        write!(
            f,
            "unknown commits resolved: {committed} committed, {aborted} aborted, {dropped} moved on; {recycles} producers \
             replaced in {transactions} transactions, ms each: median {middle}, most {most}"
        )
    }
}
