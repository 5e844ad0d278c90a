//! Alive, ready, started: decided from a status, with the reasons.

use std::fmt;

use super::status::{Progress, SinkState, SinkStatus, Status, TaskState, TaskStatus, WaitStatus};
use crate::metrics::InstanceState;

/// Longest wait of a stream thread with which the process still counts as ready, seconds.
const WAIT_MAX_S: f64 = 5.0;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Would a restart help? Only where a loop is wedged or the process cannot go on; never for a restore.
    Live,
    /// Is the work being done? Every assigned task is restored, every thread commits, and the sink reaches its database.
    Ready,
    /// Has the process come far enough for the other two to mean something?
    Started,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What was looked at.
    pub what: String,
    /// Whether it is as it should be.
    pub holds: bool,
    /// How it is.
    pub how: String,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Everything that was looked at.
    pub reasons: Vec<Reason>,
}

impl Health {
    /// Judges a status.
    #[must_use]
    pub fn judge(probe: Probe, status: &Status) -> Self {
        let mut reasons = vec![loops(status), fatal(status)];
        match probe {
            Probe::Live => {}
            Probe::Started => reasons.push(started(status)),
            Probe::Ready => {
                reasons.push(joined(status));
                reasons.push(serving(status));
                reasons.extend(status.tasks.iter().map(restored));
                reasons.extend(status.waits.iter().map(goes_on));
                reasons.extend(status.sink.as_ref().map(reaches_database));
            }
        }
        Self { reasons }
    }

    /// Tells whether everything is as it should be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.reasons.iter().all(|reason| reason.holds)
    }
}

/// Shows what is not as it should be; everything in the alternate form (`{:#}`).
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = f.alternate();
        for Reason { what, holds, how } in self.reasons.iter().filter(|reason| all || !reason.holds) {
            writeln!(f, "[{}] {what}: {how}", if *holds { '+' } else { '-' })?;
        }
        writeln!(f, "{}", if self.is_good() { "ok" } else { "failed" })
    }
}

fn loops(status: &Status) -> Reason {
    let how = status.wedged.as_deref().unwrap_or("all make progress");
    Reason { what: "loops".into(), holds: status.wedged.is_none(), how: how.into() }
}

fn fatal(status: &Status) -> Reason {
    Reason {
        what: "process".into(),
        holds: status.fatal.is_none(),
        how: (status.fatal.as_deref().unwrap_or("can go on")).into(),
    }
}

fn started(status: &Status) -> Reason {
    let started = status.state != InstanceState::Created;
    Reason {
        what: "start".into(),
        holds: started,
        how: (if started { "is over" } else { "preflight and connections are under way" }).into(),
    }
}

fn joined(status: &Status) -> Reason {
    match status.generation {
        Some(generation) => Reason {
            what: "group".into(),
            holds: true,
            how: format!("{} in generation {generation}", status.app),
        },
        None => Reason {
            what: "group".into(),
            holds: false,
            how: format!("waits for the first assignment of {}", status.app),
        },
    }
}

/// A process that is asked to stop gets no more work, though its tasks still run.
fn serving(status: &Status) -> Reason {
    let serving =
        !matches!(status.state, InstanceState::Draining | InstanceState::Stopped | InstanceState::Error);
    Reason { what: "instance".into(), holds: serving, how: status.state.label().into() }
}

fn restored(task: &TaskStatus) -> Reason {
    let TaskStatus { id, sub_topology, state, .. } = task;
    let how = match state {
        TaskState::Restoring(progress) => format!("restoring {}", shown(progress)),
        TaskState::Created | TaskState::Running | TaskState::Closing => state.phase().label().to_owned(),
    };
    // A task on its way out is its next owner's business.
    let holds = matches!(state, TaskState::Running | TaskState::Closing);
    Reason { what: format!("task {id} ({sub_topology})"), holds, how }
}

/// Every commit waits for the brokers, as a rule for some milliseconds.
fn goes_on(wait: &WaitStatus) -> Reason {
    let WaitStatus { thread, seconds, what } = wait;
    Reason {
        what: format!("thread {thread}"),
        holds: *seconds < WAIT_MAX_S,
        how: format!("waits for {seconds:.0} s: {what}"),
    }
}

fn shown(progress: &Progress) -> String {
    let mut text = match progress.share() {
        Some(share) => format!("{:.0} % ({}/{})", share * 100.0, progress.done, progress.total),
        None => "(extent not yet known)".to_owned(),
    };
    if let Some(left) = progress.left() {
        text.push_str(&format!(", {:.0} records/s, {} s left", progress.rate, left.as_secs()));
    }
    text
}

fn reaches_database(sink: &SinkStatus) -> Reason {
    let what = "sink";
    match &sink.state {
        SinkState::Running => {
            let waiting = sink.partitions.iter().filter(|partition| partition.next_offset.is_none()).count();
            let how = if waiting == 0 {
                "running".to_owned()
            } else {
                format!("{waiting} partitions are being taken")
            };
            Reason { what: what.into(), holds: waiting == 0, how }
        }
        SinkState::Retrying { seconds, attempts } => {
            let error = sink.last_error.as_deref().unwrap_or("no error recorded");
            Reason {
                what: what.into(),
                holds: false,
                how: format!("retrying for {seconds:.0} s, {attempts} attempts: {error}"),
            }
        }
        SinkState::Stopped { reason: why } => {
            Reason { what: what.into(), holds: false, how: format!("stopped: {why}") }
        }
        SinkState::Closed => Reason { what: what.into(), holds: false, how: "closed".into() },
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
