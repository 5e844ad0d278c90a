//! Refusals: what a person, retention or a mistake did to topics, offsets, state or settings is provoked; the process ends,
//! says what happened, where, and what cures it, and has changed nothing. What is said is a golden file.

mod changelog;
mod clock;
mod offsets;
mod operator;
mod partitions;
mod recreated;
mod retention;
mod settings;
mod state_dir;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use millpond_state::{Identity, METADATA_KEY, Shared, Store};
use millpond_topology::StateReader;

use self::operator::{Committed, committed, ends};
use crate::support::{Node, World, wait_drained};

/// Tasks of a world here: as many as there must be for one to be mistaken for another.
const TASKS: u32 = 2;
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings of every world here.
const SETTINGS: [(&str, &str); 6] = [
    ("MILLPOND_TOPICS__ORDERS__PARTITIONS", "2"),
    ("MILLPOND_TOPICS__COMMANDS__PARTITIONS", "2"),
    ("MILLPOND_TOPICS__ACCOUNTS__PARTITIONS", "2"),
    ("MILLPOND_TOPICS__DEADLETTER__PARTITIONS", "2"),
    ("MILLPOND_THREADS", "1"),
    // A static member would keep the group from being empty, and Kafka from taking offsets of others, for its session.
    ("MILLPOND_MEMBERSHIP__LEAVE", "always"),
];

fn inputs(world: &World) -> [String; 2] {
    [world.topic("order.events"), world.topic("account.commands")]
}

fn topics(world: &World) -> Vec<String> {
    let outputs = [world.topic("account.events"), world.topic("deadletter.events"), world.changelog()];
    inputs(world).into_iter().chain(outputs).collect()
}

/// Writes `orders` orders of 20 users, the same for the same seed.
fn load(world: &World, orders: u32, seed: u32) {
    let (orders, seed) = (orders.to_string(), seed.to_string());
    world.load(&["--users", "20", "--orders", &orders, "--rate", "0", "--bad", "0", "--seed", &seed]);
}

/// Starts the instance of a world and waits until it runs.
fn started(world: &World, extra: &[(&str, &str)]) -> Node {
    let mut node = Node::start(world, "one", extra);
    node.wait_ready(PATIENCE);
    node
}

/// Waits until everything is processed, and stops.
fn finish(world: &World, mut node: Node) {
    wait_drained(world, PATIENCE);
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
}

/// Returns a world whose application has processed two loads, one transaction after the other, and stopped.
fn settled(name: &str) -> World {
    let world = World::with(name, &SETTINGS);
    let node = started(&world, &[]);
    load(&world, 150, 1);
    wait_drained(&world, PATIENCE);
    load(&world, 150, 2);
    finish(&world, node);
    world
}

/// What a refusal must leave as it was.
#[derive(Debug, PartialEq, Eq)]
struct Evidence {
    committed: Committed,
    /// First offset and end of every partition.
    ends: BTreeMap<String, Vec<(i64, i64)>>,
    /// Rows of every store that there was.
    stores: BTreeMap<u32, BTreeMap<Vec<u8>, Vec<u8>>>,
    instance: Option<Vec<u8>>,
}

impl Evidence {
    fn of(world: &World) -> Self {
        let root = world.state("one").join(&world.app);
        let stores = (0..TASKS).filter_map(|task| Some((task, rows(world, &root, task)?)));
        Self {
            committed: committed(world),
            ends: ends(world),
            stores: stores.collect(),
            instance: std::fs::read(root.join("instance.json")).ok(),
        }
    }
}

fn store(world: &World, root: &Path, task: u32) -> Option<Store> {
    let dir = root.join(format!("0_{task}"));
    if !dir.join("db/CURRENT").exists() {
        return None;
    }
    let names = millpond_ledger::Topics {
        orders: world.topic("order.events"),
        commands: world.topic("account.commands"),
        accounts: world.topic("account.events"),
        deadletter: world.topic("deadletter.events"),
    };
    let topology = millpond_ledger::topology(&world.app, &names).unwrap_or_else(|e| panic!("{e}"));
    let sub = topology.sub_topologies().first().unwrap_or_else(|| panic!("no sub-topology"));
    let identity = Identity::of(&world.app, sub, task, TASKS);
    // One that is in the wrong place is no evidence.
    Store::open(&dir, &identity, &Shared::new(16 << 20)).ok().map(|opened| opened.store)
}

/// Returns what a store holds but for its own metadata, which says how far the changelog was read.
fn rows(world: &World, root: &Path, task: u32) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let store = store(world, root, task)?;
    let mut rows = BTreeMap::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        if key != METADATA_KEY {
            rows.insert(key.to_vec(), value.to_vec());
        }
        ControlFlow::Continue(())
    };
    store.reader().scan(&[], None, &mut visit).unwrap_or_else(|error| panic!("{error}"));
    Some(rows)
}

/// Starts the application, which must end by itself and leave everything as it was. Returns what a person is told.
fn refused(world: &World, extra: &[(&str, &str)]) -> String {
    refusal(world, extra).0
}

/// As `refused`; also returns what was told with nothing replaced, on one line.
fn refusal(world: &World, extra: &[(&str, &str)]) -> (String, String) {
    let before = Evidence::of(world);
    let mut node = Node::start(world, "one", extra);
    let told = ended(world, &mut node);
    let after = Evidence::of(world);
    assert_eq!(after.committed, before.committed, "committed offsets, after\n{told}");
    assert_eq!(after.ends, before.ends, "topics, after\n{told}");
    for (task, rows) in &before.stores {
        assert_eq!(after.stores.get(task), Some(rows), "store of task {task}, after\n{told}");
    }
    if before.instance.is_some() {
        assert_eq!(after.instance, before.instance, "instance.json, after\n{told}");
    }
    (told, last_words(&node.log()))
}

/// Waits until a process ends by itself, and returns how and what a person is told.
fn ended(world: &World, node: &mut Node) -> String {
    let code = node.wait_end(PATIENCE).code();
    told(world, code, &node.log())
}

/// Returns exit code and last words, with what differs from run to run replaced, in lines of a bearable length.
fn told(world: &World, code: Option<i32>, log: &str) -> String {
    let words = last_words(log);
    let state = world.state("one").display().to_string();
    let folder = world.dir.path().display().to_string();
    let text = words.replace(&state, "STATE").replace(&folder, "FOLDER");
    let text = text.replace(&world.app, "APP").replace(&world.brokers, "BROKERS");
    let code = code.map_or("none".to_owned(), |code| code.to_string());
    format!("exit {code}\n{}", wrapped(&steady(&text)))
}

/// Returns the report that a failed command ends with, on one line, as the log lines of the end say it.
fn last_words(log: &str) -> String {
    // The code of the failure stands alone on the first line of the report.
    let begins = |line: &&str| line.starts_with("millpond::") && !line.contains(' ');
    let at = log.lines().rev().find(begins).and_then(|code| log.rfind(code));
    let report = at.and_then(|at| log.get(at..)).unwrap_or_else(|| panic!("no report:\n{log}"));
    let line = |line: &str| {
        let line = line.trim();
        let bare = line.strip_prefix("x ").or_else(|| line.strip_prefix("| ")).unwrap_or(line);
        bare.trim().to_owned()
    };
    report.lines().map(line).filter(|line| !line.is_empty() && line != "|").collect::<Vec<_>>().join(" ")
}

/// Replaces numbers of more than one digit, numbers of transactions, and ids.
fn steady(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    let is_count = |at: usize| at > 0 && text[at - 1] == "transaction" && text[at].parse::<u64>().is_ok();
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let word = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(core) {
            return word.replace(core, "UUID");
        }
        let mut out = String::new();
        let mut digits = String::new();
        for c in word.chars().chain(['\0']) {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            out.push_str(if digits.len() > 1 { "N" } else { &digits });
            digits.clear();
            out.extend((c != '\0').then_some(c));
        }
        out
    };
    let words = text.iter().enumerate();
    words
        .map(|(at, text)| if is_count(at) { "N".to_owned() } else { word(text) })
        .collect::<Vec<_>>()
        .join(" ")
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap_or_else(|| unreachable!("one line at least"));
        if !line.is_empty() && line.len() + word.len() > 100 {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join("\n")
}
