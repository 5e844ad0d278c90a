//! The contract of an assignor and the rules it may not break.

use std::{collections::BTreeMap, fmt::Debug};

use millpond_topology::TaskId;

use crate::{
    plan::{Plan, Tasks},
    report::Lag,
    role::Roles,
};

/// A member as an assignor sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// What it may run; nothing for a member that is to give up all it owns.
    pub roles: Roles,
    /// Its stream threads.
    pub threads: u16,
    /// Static instance id, if it has one.
    pub instance: Option<String>,
    /// Active tasks it says it owns, each with the last generation whose target granted it.
    pub owned: BTreeMap<TaskId, i32>,
    /// Lag of its local stores.
    pub lag: BTreeMap<TaskId, Lag>,
}

/// All members of a generation by member id.
pub type Group = BTreeMap<String, Candidate>;

/// A member's share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Tasks it is to process.
    pub active: Tasks,
    /// Tasks it is to keep a copy of.
    pub standby: Tasks,
    /// Tasks it is to bring up to date before they move to it.
    pub warmup: Tasks,
}

/// Shares the tasks over the members of a generation. Pure: the same group gives the same shares.
///
/// A task that somebody owns may stay with its owner or be left out of every active set; the owner then gives
/// it up, which starts another generation in which it is free. Whatever breaks this rule is taken out by the
/// leader before the shares are sent.
pub trait Assignor: Debug + Send + Sync {
    /// Returns the share of every member; a member without an entry gets nothing.
    fn assign(&self, plan: &Plan, group: &Group) -> BTreeMap<String, Placement>;
}

/// Returns the owner of every owned task: of several that claim one, whoever was granted it in the highest
/// generation (of equals the smallest member id, so that all agree).
#[must_use]
pub fn owners(group: &Group) -> BTreeMap<TaskId, &str> {
    let mut best: BTreeMap<TaskId, (i32, &str)> = BTreeMap::new();
    for (member, candidate) in group {
        for (task, generation) in &candidate.owned {
            let claim = best.entry(*task).or_insert((*generation, member));
            if *generation > claim.0 {
                *claim = (*generation, member);
            }
        }
    }
    best.into_iter().map(|(task, (_, member))| (task, member)).collect()
}

/// Whether tasks that no member claims are known to be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclaimed {
    /// Every member's claims were readable.
    Free,
    /// A member's claims could not be read: it may own any of them.
    Unknown,
}

/// Takes out of `shares` what no assignor may grant: tasks that are not in the plan, need a role that the
/// member lacks, belong to another member, or were granted to two.
pub(crate) fn enforce(
    plan: &Plan,
    group: &Group,
    unclaimed: Unclaimed,
    shares: BTreeMap<String, Placement>,
) -> BTreeMap<String, Placement> {
    let owners = owners(group);
    let mut taken = Tasks::new();
    shares
        .into_iter()
        .filter_map(|(member, mut share)| {
            let roles = group.get(&member)?.roles;
            let allowed = |task: &TaskId| plan.role(*task).is_some_and(|role| roles.has(role));
            share.active.retain(|task| {
                let free = match owners.get(task) {
                    Some(owner) => *owner == member,
                    None => unclaimed == Unclaimed::Free,
                };
                allowed(task) && free && taken.insert(*task)
            });
            share.standby.retain(|task| allowed(task) && !share.active.contains(task));
            share.warmup.retain(|task| allowed(task) && !share.active.contains(task));
            Some((member, share))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::SubTopology, role::Role};

    fn task(partition: u32) -> TaskId {
        TaskId { subtopology: 0, partition }
    }

    fn member(owned: &[(u32, i32)]) -> Candidate {
        let owned = owned.iter().map(|(partition, generation)| (task(*partition), *generation)).collect();
        Candidate { roles: Roles::none().with(Role::Processor), owned, ..Candidate::default() }
    }

    #[test]
    fn the_highest_generation_is_believed() {
        let group = Group::from([
            ("a".to_owned(), member(&[(0, 5), (1, 5)])),
            ("b".to_owned(), member(&[(0, 9), (1, 5)])),
        ]);
        assert_eq!(owners(&group), BTreeMap::from([(task(0), "b"), (task(1), "a")]));
    }

    #[test]
    fn what_breaks_the_rules_is_taken_out() {
        let topics = vec!["t".to_owned()];
        let plan = Plan::new(vec![
            SubTopology { id: 0, topics: topics.clone(), partitions: 4, role: Role::Processor },
            SubTopology { id: 1, topics, partitions: 1, role: Role::Sink },
        ])
        .unwrap();
        let sink = TaskId { subtopology: 1, partition: 0 };
        let group = Group::from([("a".to_owned(), member(&[(0, 1)])), ("b".to_owned(), member(&[]))]);
        let greedy =
            |tasks: &[TaskId]| Placement { active: tasks.iter().copied().collect(), ..Placement::default() };
        let shares = BTreeMap::from([
            ("a".to_owned(), greedy(&[task(1), sink])),
            ("b".to_owned(), greedy(&[task(0), task(1), task(2), task(7)])),
            ("stranger".to_owned(), greedy(&[task(3)])),
        ]);
        let kept = enforce(&plan, &group, Unclaimed::Free, shares.clone());
        assert_eq!(kept["a"].active, Tasks::from([task(1)]));
        assert_eq!(kept["b"].active, Tasks::from([task(2)]));
        assert_eq!(kept.len(), 2);
        let careful = enforce(&plan, &group, Unclaimed::Unknown, shares);
        assert!(careful.values().all(|share| share.active.is_empty()));
    }
}
