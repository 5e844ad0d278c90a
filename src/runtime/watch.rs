//! The watch thread: ends of partitions, lag, store figures, and whether the topics are still the same. Off every hot path,
//! about twice a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use millpond_membership::Role;
use millpond_state::Directory;
use millpond_topology::{TaskId, Topology};

use super::board::{Board, InputLine, TaskPhase};
use super::messages::ToThread;
use super::shared::Shared;
use crate::engine::{KnownTopic, changed};
use crate::kafka::{Cluster, PartitionEnds};
use crate::metrics::{InstanceState, Metrics, PartitionMetrics, SourceSample, TaskCount};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// Looks between two questions for the end of a changelog.
const CHANGELOG_EVERY: u32 = 4;

/// What the watch thread is made of.
pub(crate) struct Watch {
    /// The topology.
    pub topology: Topology,
    /// Its topics as they were at the start.
    pub topics: Vec<KnownTopic>,
    /// Shared state.
    pub shared: Arc<Shared>,
    /// Queries.
    pub cluster: Arc<Cluster>,
    /// Senders to the stream threads.
    pub threads: Vec<Sender<ToThread>>,
    /// Metrics.
    pub metrics: Metrics,
    /// Memory of the stores.
    pub memory: millpond_state::Shared,
    /// Where they live.
    pub directory: Arc<Directory>,
}

impl Watch {
    /// Runs until the instance stops.
    pub(crate) fn run(self) {
        let mut partitions: BTreeMap<(String, u32), PartitionMetrics> = BTreeMap::new();
        let mut looks = 0u32;
        while !self.shared.is_stopping() {
            let begun = Instant::now();
            self.topics();
            if let Err(gone) = self.directory.check_in_place() {
                self.shared.fail(gone.to_string());
                return;
            }
            self.look(&mut partitions);
            if looks.is_multiple_of(CHANGELOG_EVERY) {
                self.changelog_ends();
            }
            looks = looks.wrapping_add(1);
            self.cluster.serve();
            std::thread::sleep(EVERY.saturating_sub(begun.elapsed()));
        }
    }

    /// Ends the process when a topic is no longer the one that it was. One that is missing is only told of: it may come back,
    /// and what comes back under its name is another.
    fn topics(&self) {
        let names: Vec<&str> = self.topics.iter().map(|topic| topic.name.as_str()).collect();
        let found = match self.cluster.topics(&names) {
            Ok(found) => found,
            Err(error) => return tracing::debug!(%error, "topics cannot be looked at"),
        };
        let fact = |name: &str| found.get(name).map(|facts| (facts.id, facts.partitions));
        if let Some(stop) = changed(&self.topics, fact) {
            self.shared.fail(stop.to_string());
        }
        let missing: Vec<&str> = names.into_iter().filter(|name| !found.contains_key(*name)).collect();
        let mut board = self.shared.board();
        if missing.is_empty() {
            board.notes.remove("topics");
        } else {
            board.notes.insert("topics", format!("no longer there: {}", missing.join(", ")));
        }
    }

    fn look(&self, partitions: &mut BTreeMap<(String, u32), PartitionMetrics>) {
        let inputs: Vec<(TaskId, String)> = {
            let board = self.shared.board();
            self.lifecycle(&board);
            let of = |(task, line): (&TaskId, &super::board::TaskLine)| {
                line.inputs.iter().map(|input| (*task, input.topic.clone())).collect::<Vec<_>>()
            };
            board.tasks.iter().flat_map(of).collect()
        };
        let usage = self.memory.usage();
        let capacity = self.memory.budget().block_cache as u64;
        self.metrics.rocksdb_cache(usage.cache as u64, capacity);
        let ask: Vec<(&str, u32)> =
            inputs.iter().map(|(task, topic)| (topic.as_str(), task.partition)).collect();
        let gone: Vec<_> = partitions
            .keys()
            .filter(|(topic, part)| !ask.contains(&(topic.as_str(), *part)))
            .cloned()
            .collect();
        for key in gone {
            if let Some(metrics) = partitions.remove(&key) {
                metrics.remove();
            }
        }
        if ask.is_empty() {
            return;
        }
        match self.cluster.ends(&ask) {
            Ok(ends) => self.note_ends(&inputs, &ends, partitions),
            Err(error) => tracing::debug!(%error, "ends of inputs cannot be read"),
        }
    }

    fn note_ends(
        &self,
        inputs: &[(TaskId, String)],
        ends: &[PartitionEnds],
        partitions: &mut BTreeMap<(String, u32), PartitionMetrics>,
    ) {
        let wall_ms = self.shared.clock.now().wall_ms;
        let mut board = self.shared.board();
        for ((task, topic), ends) in inputs.iter().zip(ends) {
            let Some(line) = board.tasks.get_mut(task) else { continue };
            let Some(input) = line.inputs.iter_mut().find(|input| input.topic == *topic) else { continue };
            input.log_start = ends.log_start;
            input.last_stable = ends.last_stable;
            input.high_watermark = ends.high_watermark;
            let metrics = partitions.entry((topic.clone(), task.partition)).or_insert_with(|| {
                self.metrics.partition(topic, i32::try_from(task.partition).unwrap_or(-1))
            });
            show(metrics, input, wall_ms);
        }
    }

    fn lifecycle(&self, board: &Board) {
        let mut counts: BTreeMap<crate::metrics::TaskPhase, usize> = BTreeMap::new();
        for line in board.tasks.values() {
            *counts.entry(phase(line.phase)).or_default() += 1;
        }
        let counts: Vec<_> = counts
            .into_iter()
            .map(|(phase, tasks)| TaskCount { role: Role::Processor, phase, tasks })
            .collect();
        self.metrics.lifecycle().tasks_are(&counts);
        self.metrics.lifecycle().state_is(state(
            board,
            self.shared.is_stopping(),
            self.shared.fatal().is_some(),
        ));
    }

    /// Asks for the stable ends of the changelogs and tells the tasks' threads.
    fn changelog_ends(&self) {
        let tasks: Vec<(TaskId, usize, String)> = {
            let board = self.shared.board();
            let running = board.tasks.iter().filter(|(_, line)| line.phase == TaskPhase::Running);
            let with_topic = running.filter_map(|(task, line)| {
                let sub = self.topology.sub_topology(task.subtopology)?;
                Some((*task, line.thread, sub.changelog_topic(self.topology.app())))
            });
            with_topic.collect()
        };
        let ask: Vec<_> = tasks.iter().map(|(task, _, topic)| (topic.as_str(), task.partition)).collect();
        if ask.is_empty() {
            return;
        }
        let Ok(ends) = self.cluster.last_stable(&ask) else { return };
        for ((task, thread, _), last_stable) in tasks.iter().zip(ends) {
            if let Some(sender) = self.threads.get(*thread) {
                let _ = sender.send(ToThread::ChangelogEnd { task: *task, last_stable });
            }
        }
    }
}

fn show(metrics: &PartitionMetrics, input: &InputLine, wall_ms: i64) {
    metrics.set(&SourceSample {
        position: input.position,
        committed: input.committed,
        last_stable: input.last_stable,
        high_watermark: input.high_watermark,
        log_start: input.log_start,
    });
    metrics.set_lag_seconds(lag_seconds(input, wall_ms));
    if input.last_record_ms > 0 {
        metrics.set_last_record(input.last_record_ms);
    }
}

/// Returns the age of the last processed record while there is lag: the oldest unprocessed one is at most that old.
#[must_use]
pub(crate) fn lag_seconds(input: &InputLine, wall_ms: i64) -> f64 {
    if input.lag() == 0 || input.last_record_ms == 0 {
        return 0.0;
    }
    Duration::from_millis(u64::try_from(wall_ms - input.last_record_ms).unwrap_or(0)).as_secs_f64()
}

/// Returns the metric's word for a phase.
#[must_use]
pub(crate) fn phase(phase: TaskPhase) -> crate::metrics::TaskPhase {
    match phase {
        TaskPhase::Restoring => crate::metrics::TaskPhase::Restoring,
        TaskPhase::Running => crate::metrics::TaskPhase::Running,
        TaskPhase::Closing => crate::metrics::TaskPhase::Closing,
    }
}

/// Returns the state of the whole instance.
#[must_use]
pub(crate) fn state(board: &Board, stopping: bool, failed: bool) -> InstanceState {
    if failed {
        InstanceState::Error
    } else if stopping {
        InstanceState::Draining
    } else if board.generation < 0 || board.rebalances == 0 {
        InstanceState::Rebalancing
    } else if board.tasks.values().any(|task| task.phase == TaskPhase::Restoring) {
        InstanceState::Restoring
    } else {
        InstanceState::Running
    }
}
