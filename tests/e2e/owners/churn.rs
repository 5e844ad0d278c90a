//! Processes join and leave every few seconds under load; some leave cleanly, some are killed.

use std::time::{Duration, Instant};

use super::{DYNAMIC, LEAVES, Load, PATIENCE, finish};
use crate::support::{Node, Random, World, group_lag, keep_figure, wait_until};

/// Length of the run unless `MILLPOND_TEST_CHURN_S` says otherwise.
const LENGTH_S: u64 = 45;
/// Time between two changes.
const STEP: Duration = Duration::from_secs(5);
const RATE: u64 = 600;
/// State directories; the first two have static names.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// What happened.
#[derive(Default)]
struct Counts {
    kills: u32,
    leaves: u32,
    joins: u32,
    /// Highest generation seen: how often the group was rebalanced.
    generations: i64,
}

fn start(world: &World, at: usize) -> Node {
    let identity = if at == 2 { vec![LEAVES, DYNAMIC] } else { vec![LEAVES] };
    Node::start(world, NAMES[at], &identity)
}

/// Starts whoever is down and ends one of the others: by a kill and by a leave in turn.
fn step(world: &World, nodes: &mut [Option<Node>; 3], random: &mut Random, counts: &mut Counts) {
    for (at, node) in nodes.iter_mut().enumerate() {
        if let Some(node) = node {
            assert!(node.is_alive(), "{} ended by itself:\n{}", NAMES[at], node.log());
            counts.generations = counts.generations.max(node.generation().unwrap_or(0));
        }
    }
    let up: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].is_some()).collect();
    let chosen = up[usize::try_from(random.next() % up.len() as u64).unwrap_or(0)];
    for (at, node) in nodes.iter_mut().enumerate() {
        if node.is_none() {
            *node = Some(start(world, at));
            counts.joins += 1;
        }
    }
    let mut ended = nodes[chosen].take().unwrap_or_else(|| panic!("{chosen} is up"));
    if counts.kills <= counts.leaves {
        ended.kill();
        counts.kills += 1;
    } else {
        assert_eq!(ended.stop().code(), Some(0), "{}: {}", NAMES[chosen], ended.log());
        counts.leaves += 1;
    }
}

#[test]
fn processes_that_come_and_go_every_five_seconds_leave_everything_exact() {
    let from = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = from("MILLPOND_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ 0xc0de);
    let length = Duration::from_secs(from("MILLPOND_TEST_CHURN_S").unwrap_or(LENGTH_S));
    eprintln!("seed {seed}; repeat with MILLPOND_TEST_SEED={seed}");
    let mut random = Random(seed);
    let world = World::new("churn");
    let mut nodes = [0, 1, 2].map(|at| Some(start(&world, at)));
    nodes.iter_mut().flatten().for_each(|node| node.wait_ready(PATIENCE));
    let load = Load::start(&world, RATE, &[]);
    let (begun, mut counts) = (Instant::now(), Counts::default());
    let (mut next, mut lag_most) = (STEP, 0);
    while begun.elapsed() < length {
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
        next += STEP;
        lag_most = lag_most.max(group_lag(&world));
        step(&world, &mut nodes, &mut random, &mut counts);
    }
    // The last one that ended has not been started again.
    for (at, node) in nodes.iter_mut().enumerate() {
        node.get_or_insert_with(|| start(&world, at));
    }
    let mut nodes: Vec<Node> = nodes.into_iter().flatten().collect();
    let Counts { kills, leaves, joins, generations } = counts;
    let steps = u32::try_from(length.as_secs() / STEP.as_secs()).unwrap_or(0);
    assert!(kills + leaves + 1 >= steps, "void: {kills} kills and {leaves} leaves in {length:?}");
    // One that is killed and comes back under its static name within its session takes its seat without a rebalance.
    assert!(generations >= i64::from(steps), "void: only {generations} generations in {length:?}");
    wait_until("everybody runs", PATIENCE, || nodes.iter().all(|node| node.tasks() > 0));
    let line = format!(
        "{kills} kills, {leaves} leaves, {joins} joins, {generations} rebalances in {} s; lag at most {lag_most}, seed {seed}",
        length.as_secs()
    );
    keep_figure("churn", &line);
    let mut all: Vec<&mut Node> = nodes.iter_mut().collect();
    finish(&world, load, &mut all, &NAMES);
}
