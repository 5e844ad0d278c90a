//! The tasks there are to share: sub-topologies, their source topics and the role that runs them.

use std::collections::{BTreeMap, BTreeSet};

use millpond_topology::TaskId;
use thiserror::Error;

use crate::role::Role;

/// A set of tasks.
pub type Tasks = BTreeSet<TaskId>;

/// Most tasks one application may have; above it an assignment would outgrow the group's record in Kafka.
pub const TASKS_MAX: usize = 10_000;

/// One sub-topology as far as sharing its tasks needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubTopology {
    /// Its number, the first half of its task ids.
    pub id: u32,
    /// Its source topics; co-partitioned, so that task `0_3` owns partition 3 of each.
    pub topics: Vec<String>,
    /// Partitions of each source topic, at least 1; also the number of tasks.
    pub partitions: u32,
    /// The role a member needs to run it.
    pub role: Role,
}

/// Every task of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    by_id: BTreeMap<u32, SubTopology>,
}

/// Why a plan was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Two sub-topologies have one number.
    #[error("sub-topology {0} is given twice")]
    Duplicate(u32),
    /// A sub-topology reads nothing.
    #[error("sub-topology {0} has no source topic or no partition")]
    Empty(u32),
    /// There are more tasks than can be assigned.
    #[error("{0} tasks are more than {TASKS_MAX}")]
    TooMany(u64),
}

impl Plan {
    /// Builds a plan.
    ///
    /// # Errors
    /// A number given twice, a sub-topology without topics or partitions, more than [`TASKS_MAX`] tasks.
    pub fn new(sub_topologies: Vec<SubTopology>) -> Result<Self, PlanError> {
        let tasks: u64 = sub_topologies.iter().map(|sub| u64::from(sub.partitions)).sum();
        if tasks > TASKS_MAX as u64 {
            return Err(PlanError::TooMany(tasks));
        }
        let mut by_id = BTreeMap::new();
        for sub in sub_topologies {
            let id = sub.id;
            if sub.topics.is_empty() || sub.partitions == 0 {
                return Err(PlanError::Empty(id));
            }
            if by_id.insert(id, sub).is_some() {
                return Err(PlanError::Duplicate(id));
            }
        }
        Ok(Self { by_id })
    }

    /// Returns the role that `task` needs, or `None` when there is no such task.
    #[must_use]
    pub fn role(&self, task: TaskId) -> Option<Role> {
        self.sub_topology(task).map(|sub| sub.role)
    }

    /// Returns the tasks that need `role`, in order.
    pub fn tasks(&self, role: Role) -> impl Iterator<Item = TaskId> {
        self.by_id
            .values()
            .filter(move |sub| sub.role == role)
            .flat_map(|sub| (0..sub.partitions).map(|partition| TaskId { subtopology: sub.id, partition }))
    }

    /// Returns every source topic, in order and once.
    #[must_use]
    pub fn topics(&self) -> BTreeSet<&str> {
        self.by_id.values().flat_map(|sub| sub.topics.iter().map(String::as_str)).collect()
    }

    /// Returns the source partitions of `tasks` by topic; tasks that are not in the plan have none.
    #[must_use]
    pub fn partitions<'a>(
        &'a self,
        tasks: impl IntoIterator<Item = &'a TaskId>,
    ) -> BTreeMap<&'a str, BTreeSet<i32>> {
        let mut partitions: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
        for task in tasks {
            let Some(sub) = self.sub_topology(*task) else {
                continue;
            };
            // At most TASKS_MAX, see `new`.
            let Ok(partition) = i32::try_from(task.partition) else {
                continue;
            };
            for topic in &sub.topics {
                partitions.entry(topic).or_default().insert(partition);
            }
        }
        partitions
    }

    fn sub_topology(&self, task: TaskId) -> Option<&SubTopology> {
        self.by_id.get(&task.subtopology).filter(|sub| task.partition < sub.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(id: u32, partitions: u32) -> SubTopology {
        let topics = vec!["orders".to_owned(), "commands".to_owned()];
        SubTopology { id, topics, partitions, role: Role::Processor }
    }

    #[test]
    fn a_task_owns_its_partition_of_every_source() {
        let plan = Plan::new(vec![sub(0, 4)]).unwrap();
        let tasks: Tasks = ["0_1".parse().unwrap(), "0_3".parse().unwrap(), "0_4".parse().unwrap()].into();
        let both = BTreeSet::from([1, 3]);
        assert_eq!(plan.partitions(&tasks), BTreeMap::from([("commands", both.clone()), ("orders", both)]));
        assert_eq!(plan.role("0_3".parse().unwrap()), Some(Role::Processor));
        assert_eq!(plan.role("0_4".parse().unwrap()), None);
        assert_eq!((plan.tasks(Role::Processor).count(), plan.tasks(Role::Sink).count()), (4, 0));
    }

    #[test]
    fn impossible_plans_are_refused() {
        assert_eq!(Plan::new(vec![sub(0, 0)]), Err(PlanError::Empty(0)));
        assert_eq!(Plan::new(vec![sub(1, 2), sub(1, 2)]), Err(PlanError::Duplicate(1)));
        assert_eq!(
            Plan::new(vec![sub(0, u32::MAX), sub(1, u32::MAX)]),
            Err(PlanError::TooMany(8_589_934_590))
        );
    }
}
