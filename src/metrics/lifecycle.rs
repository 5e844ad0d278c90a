//! The states of the instance and of its tasks, and rebalances.

use std::time::Duration;

use millpond_membership::Role;
use prometheus::{Error, Histogram, IntCounter, IntGauge, IntGaugeVec};
use serde::Serialize;

use super::buckets;
use super::family::Families;

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$word_doc])* $variant),+ }

        impl $name {
            /// Every state there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the state as labels and status show it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

states! {
    /// What an instance is doing.
    InstanceState {
        /// It starts: preflight, state directory, brokers.
        Created = "created",
        /// It waits for its tasks.
        Rebalancing = "rebalancing",
        /// At least one of its tasks is being restored.
        Restoring = "restoring",
        /// All its tasks run.
        Running = "running",
        /// It finishes, commits and flushes.
        Draining = "draining",
        /// It has ended as asked.
        Stopped = "stopped",
        /// It cannot go on.
        Error = "error",
    }
}

states! {
    /// What a task is doing.
    TaskPhase {
        /// It is assigned and not yet open.
        Created = "created",
        /// Its stores are being brought up to date.
        Restoring = "restoring",
        /// It processes records.
        Running = "running",
        /// It is being handed over or closed.
        Closing = "closing",
    }
}

/// How many tasks of one role are in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskCount {
    /// The role.
    pub role: Role,
    /// The phase.
    pub phase: TaskPhase,
    /// How many.
    pub tasks: usize,
}

/// The series of the instance's life.
#[derive(Clone)]
pub struct LifecycleMetrics {
    tasks: IntGaugeVec,
    states: IntGaugeVec,
    rebalances: IntCounter,
    rebalance: Histogram,
    generation: IntGauge,
}

impl LifecycleMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, Error> {
        let made = Self {
            tasks: families.int_gauges(
                "tasks",
                "Tasks of this process, by state and role.",
                &["state", "role"],
            )?,
            states: families.int_gauges(
                "instance_state",
                "1 for the state the instance is in.",
                &["state"],
            )?,
            rebalances: families.counter("rebalances_total", "Assignments received from the group.")?,
            rebalance: families.histogram(
                "rebalance_duration_seconds",
                "Seconds from the first sign of a rebalance to the assignment.",
                &buckets::REBALANCE_SECONDS,
            )?,
            generation: families
                .int_gauge("group_generation", "Generation of the group; 0 before the first.")?,
        };
        made.tasks_are(&[]);
        made.state_is(InstanceState::Created);
        Ok(made)
    }

    /// Shows the state of the instance.
    pub fn state_is(&self, state: InstanceState) {
        for other in InstanceState::ALL {
            self.states.with_label_values(&[other.label()]).set(i64::from(*other == state));
        }
    }

    /// Shows how many tasks are in which phase; what is not named is 0.
    pub fn tasks_are(&self, counts: &[TaskCount]) {
        for role in Role::ALL {
            for phase in TaskPhase::ALL {
                let of_kind = counts.iter().filter(|count| count.role == role && count.phase == *phase);
                let tasks: usize = of_kind.map(|count| count.tasks).sum();
                let gauge = self.tasks.with_label_values(&[phase.label(), role.to_string().as_str()]);
                gauge.set(i64::try_from(tasks).unwrap_or(i64::MAX));
            }
        }
    }

    /// Counts an assignment, with the generation it is for and the time it took.
    pub fn rebalanced(&self, generation: i32, time: Duration) {
        self.rebalances.inc();
        self.rebalance.observe(time.as_secs_f64());
        self.generation.set(i64::from(generation));
    }
}
