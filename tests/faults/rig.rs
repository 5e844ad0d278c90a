//! One application behind a proxy, with load on its way past the proxy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::support::{Background, Node, World, group_lag, wait_drained, wait_until};

/// Timeouts, shorter than their defaults and in the same relation.
pub(crate) const SETTINGS: [(&str, &str); 3] = [
    ("MILLPOND_TRANSACTION__TIMEOUT", "4s"),
    ("MILLPOND_MEMBERSHIP__SESSION_TIMEOUT", "6s"),
    ("MILLPOND_COMMIT__INTERVAL", "50ms"),
];
/// Longest wait for a start, or for a drained input.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static LOADS: AtomicU64 = AtomicU64::new(1);

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
        let node = start_node(&world, &proxy, "one", extra);
        let mut rig = Self { world, proxy, node, began: Instant::now(), name: name.to_owned() };
        rig.node.wait_ready(PATIENCE);
        rig
    }

    /// Starts the process again, after the one before has ended.
    pub(crate) fn restart(&mut self, extra: &[(&str, &str)]) {
        self.node = self.start_again(extra);
        self.node.wait_ready(PATIENCE);
    }

    /// As `restart`, without waiting: what is started may refuse.
    pub(crate) fn start_again(&self, extra: &[(&str, &str)]) -> Node {
        start_node(&self.world, &self.proxy, "one", extra)
    }

    /// Starts a load that takes about `seconds`; its orders are not those of any load before.
    pub(crate) fn start_load(&self, seconds: u64, rate: u64) -> Background {
        start_load(&self.world, seconds, rate)
    }

    /// Starts a load as `start_load` does, and waits until work is under way.
    pub(crate) fn load(&self, seconds: u64, rate: u64) -> Background {
        let before = self.node.committed();
        let load = self.start_load(seconds, rate);
        wait_until("work is under way", PATIENCE, || self.node.committed() > before + 200);
        load
    }

    /// Waits for the load and until all of it is processed.
    pub(crate) fn drain(&mut self, load: Background) {
        finish_load(load);
        wait_until("the input is processed", PATIENCE, || {
            assert!(self.node.is_alive(), "the process ended:\n{}", self.node.log());
            group_lag(&self.world) == 0
        });
        wait_drained(&self.world, PATIENCE);
    }

    /// Waits for the load and its processing, stops, lets the oracle judge, and prints what the faults cost.
    pub(crate) fn finish(mut self, load: Background) -> Figures {
        self.drain(load);
        let figures = Figures::of(&self.node);
        assert_eq!(self.node.stop().code(), Some(0), "{}", self.node.log());
        self.world.verify(&["one"]);
        eprintln!("{}: {figures}; clean after {:.0?}", self.name, self.began.elapsed());
        figures
    }

    /// Returns the oracle's exit code and what it said.
    pub(crate) fn judge(&self) -> (Option<i32>, String) {
        let output = self.world.command("one", &["verify"]).output();
        let output = output.unwrap_or_else(|error| panic!("verify: {error}"));
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// Starts a load that takes about `seconds`; its orders are not those of any load before.
pub(crate) fn start_load(world: &World, seconds: u64, rate: u64) -> Background {
    let (orders, rate) = ((seconds * rate).to_string(), rate.to_string());
    let seed = LOADS.fetch_add(1, Ordering::SeqCst).to_string();
    world.start_load(&["--users", "300", "--orders", &orders, "--rate", &rate, "--seed", &seed])
}

fn start_node(world: &World, proxy: &Proxy, instance: &str, extra: &[(&str, &str)]) -> Node {
    let brokers = proxy.brokers();
    let mut all = vec![("MILLPOND_KAFKA__BROKERS", brokers.as_str())];
    all.extend_from_slice(extra);
    Node::start(world, instance, &all)
}

/// Waits for the end of a load, which must have been written whole.
pub(crate) fn finish_load(mut load: Background) {
    assert!(load.wait().is_ok_and(|status| status.success()), "load");
}

/// Waits until a process that is wrong on purpose has processed everything or has ended by itself, and ends it.
pub(crate) fn drain_or_end(rig: &mut Rig, load: Background) {
    finish_load(load);
    // Without more input nothing would move the offsets beyond a transaction that never was.
    finish_load(start_load(&rig.world, 1, 500));
    wait_until("everything is processed, or the process ended", PATIENCE, || {
        !rig.node.is_alive() || group_lag(&rig.world) == 0
    });
    // A drained process stops as always; one that has noticed has said why.
    if rig.node.is_alive() {
        std::thread::sleep(Duration::from_secs(1));
        rig.node.stop();
    }
}

/// Returns the checks that failed, from what `millpond verify` printed.
pub(crate) fn failed_checks(text: &str) -> String {
    let failed = text.lines().filter_map(|line| line.trim_start().strip_prefix("FAILED"));
    let names: Vec<_> =
        failed.map(|line| line.split("  ").find(|part| !part.is_empty()).unwrap_or("")).collect();
    names.iter().map(|name| format!("\"{}\"", name.trim())).collect::<Vec<_>>().join(", ")
}

/// What faults cost a process, from its log and metrics.
pub(crate) struct Figures {
    pub(crate) committed: usize,
    pub(crate) aborted: usize,
    dropped: usize,
    pub(crate) recycles: f64,
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
