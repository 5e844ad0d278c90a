//! The JSON of `/status`, made from the board.

use std::sync::Arc;

use super::board::{InputLine, TaskPhase};
use super::shared::Shared;
use super::watch::{lag_seconds, state};
use crate::http::{
    InputStatus, Progress, SinkPartition, SinkState, SinkStatus, Status, StatusSource, StoreStatus,
    TaskState, TaskStatus, ThreadStatus, WaitStatus,
};
use crate::sink;

/// Longest time without progress of a loop before `/livez` fails.
const WEDGED_AFTER: std::time::Duration = std::time::Duration::from_secs(30);

/// Whoever can tell how the sink is.
pub type SinkStatusSource = Box<dyn Fn() -> sink::Status + Send + Sync>;

/// How this process is.
pub struct InstanceStatus {
    /// Application id.
    pub app: String,
    /// Instance id.
    pub instance: String,
    /// Hash of the topology, hexadecimal.
    pub topology: String,
    /// Names of the sub-topologies, by number.
    pub sub_topologies: Vec<String>,
    /// Shared state.
    pub shared: Arc<Shared>,
    /// The sink, where this process runs it.
    pub sink: Option<SinkStatusSource>,
}

impl StatusSource for InstanceStatus {
    fn status(&self) -> Status {
        let now = self.shared.clock.now();
        let board = self.shared.board().clone();
        let fatal = self.shared.fatal();
        let tasks = board.tasks.iter().map(|(task, line)| TaskStatus {
            id: task.to_string(),
            sub_topology: self.sub_topologies.get(task.subtopology as usize).cloned().unwrap_or_default(),
            role: "processor".to_owned(),
            state: match line.phase {
                TaskPhase::Restoring => TaskState::Restoring(Progress {
                    done: line.restore_done,
                    total: line.restore_total,
                    rate: rate(line.restore_done, line.restore_ms),
                }),
                TaskPhase::Running => TaskState::Running,
                TaskPhase::Closing => TaskState::Closing,
            },
            store: StoreStatus {
                unflushed_rows: line.unflushed_rows,
                restored_from: line.restore_from,
                restored_records: line.restored_records,
            },
            inputs: line
                .inputs
                .iter()
                .map(|input| input_status(input, task.partition, now.wall_ms))
                .collect(),
        });
        let threads = board.threads.iter().map(|(id, line)| ThreadStatus {
            id: *id,
            state: line.phase.to_owned(),
            tasks: board
                .tasks
                .iter()
                .filter(|(_, t)| t.thread == *id)
                .map(|(task, _)| task.to_string())
                .collect(),
            busy_seconds: line.busy.as_secs_f64(),
            idle_seconds: line.idle.as_secs_f64(),
            blocked_seconds: 0.0,
            committing_seconds: line.committing.as_secs_f64(),
            committed: line.committed,
            aborted: line.aborted,
        });
        let waits = board.waits.iter().map(|(thread, wait)| WaitStatus {
            thread: thread.clone(),
            seconds: wait.since.elapsed().as_secs_f64(),
            what: wait.what.clone(),
        });
        Status {
            app: self.app.clone(),
            instance: self.instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            topology: self.topology.clone(),
            state: state(&board, self.shared.is_stopping(), fatal.is_some()),
            generation: (board.rebalances > 0).then_some(board.generation),
            member: (!board.member.is_empty()).then(|| board.member.clone()),
            uptime_seconds: now.monotonic.as_secs_f64(),
            tasks: tasks.collect(),
            threads: threads.collect(),
            waits: waits.collect(),
            sink: self.sink.as_ref().map(|sink| sink_status(&sink())),
            last_error: board.notes.values().next().cloned(),
            wedged: self.shared.wedged(WEDGED_AFTER),
            fatal,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
fn rate(done: u64, ms: u64) -> f64 {
    if ms == 0 { 0.0 } else { done as f64 * 1000.0 / ms as f64 }
}

fn input_status(input: &InputLine, partition: u32, wall_ms: i64) -> InputStatus {
    InputStatus {
        topic: input.topic.clone(),
        partition: i32::try_from(partition).unwrap_or(i32::MAX),
        position: Some(input.position),
        committed: Some(input.committed),
        last_stable: Some(input.last_stable),
        high_watermark: Some(input.high_watermark),
        lag: Some(input.lag()),
        lag_seconds: Some(lag_seconds(input, wall_ms)),
    }
}

fn sink_status(status: &sink::Status) -> SinkStatus {
    let partitions = status.partitions.iter().map(|partition| SinkPartition {
        topic: partition.topic.clone(),
        partition: partition.partition,
        next_offset: partition.next_offset,
        last_stable: partition.end_offset,
        lag: partition.lag,
        lag_seconds: partition.lag_seconds,
    });
    SinkStatus {
        state: match &status.state {
            sink::State::Running => SinkState::Running,
            sink::State::Retrying { elapsed, attempts } => {
                SinkState::Retrying { seconds: elapsed.as_secs_f64(), attempts: *attempts }
            }
            sink::State::Stopped(failure) => SinkState::Stopped { reason: failure.to_string() },
            sink::State::Closed => SinkState::Closed,
        },
        partitions: partitions.collect(),
        last_error: status.last_error.clone(),
    }
}
