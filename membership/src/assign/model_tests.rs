//! The sticky assignor against a model of members that join, leave, die and release in any order.

use std::collections::{BTreeMap, BTreeSet};

use millpond_topology::TaskId;
use proptest::prelude::*;

use super::{Assignor, Candidate, Group, Sticky, Unclaimed, enforce};
use crate::{
    plan::{Plan, SubTopology, Tasks},
    report::Lag,
    role::{Role, Roles},
};

/// Rounds of release and rebalance after which every task must be owned: one to release, one to grant.
const ROUNDS_MAX: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Join(u8),
    End(prop::sample::Index),
    Release(prop::sample::Index, usize),
    Rebalance,
}

#[derive(Clone, Debug, Default)]
struct Member {
    roles: Roles,
    holds: BTreeMap<TaskId, i32>,
    target: Tasks,
}

#[derive(Debug)]
struct World {
    plan: Plan,
    members: BTreeMap<String, Member>,
    joined: usize,
    generation: i32,
}

impl World {
    fn new(partitions: u32) -> Self {
        let sub = |id, role| SubTopology { id, topics: vec![format!("t{id}")], partitions, role };
        let plan = Plan::new(vec![sub(0, Role::Processor), sub(1, Role::Sink)]).unwrap();
        Self { plan, members: BTreeMap::new(), joined: 0, generation: 0 }
    }

    fn step(&mut self, step: &Step) {
        let names: Vec<String> = self.members.keys().cloned().collect();
        match step {
            Step::Join(roles) => {
                // Names in mixed order, so that the order of ids is not the order of joining.
                let name = format!("{:02}", (self.joined * 37) % 100);
                self.joined += 1;
                let member = Member { roles: Roles::from_bits(*roles), ..Member::default() };
                self.members.insert(name, member);
            }
            Step::End(which) if !names.is_empty() => {
                self.members.remove(which.get(&names));
            }
            Step::Release(which, many) if !names.is_empty() => {
                let member = self.members.get_mut(which.get(&names)).unwrap();
                let surplus: Vec<TaskId> = member
                    .holds
                    .keys()
                    .filter(|task| !member.target.contains(task))
                    .take(*many)
                    .copied()
                    .collect();
                for task in surplus {
                    member.holds.remove(&task);
                }
            }
            Step::Rebalance => self.rebalance(),
            Step::End(_) | Step::Release(..) => {}
        }
        self.check_one_owner();
    }

    fn group(&self) -> Group {
        let candidate = |member: &Member| Candidate {
            roles: member.roles,
            owned: member.holds.clone(),
            ..Candidate::default()
        };
        self.members.iter().map(|(name, member)| (name.clone(), candidate(member))).collect()
    }

    fn rebalance(&mut self) {
        self.generation += 1;
        let group = self.group();
        let shares = Sticky.assign(&self.plan, &group);
        let kept = enforce(&self.plan, &group, Unclaimed::Free, shares.clone());
        assert_eq!(kept, shares, "the assignor kept the rules by itself");
        for (name, share) in shares {
            let member = self.members.get_mut(&name).unwrap();
            member.holds.extend(share.active.iter().map(|task| (*task, self.generation)));
            member.target = share.active;
        }
    }

    fn settle(&mut self) {
        self.rebalance();
        for _ in 0..ROUNDS_MAX {
            for member in self.members.values_mut() {
                member.holds.retain(|task, _| member.target.contains(task));
            }
            self.rebalance();
            self.check_one_owner();
        }
    }

    fn check_one_owner(&self) {
        let mut seen = BTreeSet::new();
        for (name, member) in &self.members {
            for task in member.holds.keys() {
                assert!(seen.insert(*task), "{task} has two owners, one is {name}: {self:#?}");
            }
        }
    }

    fn check_complete_and_balanced(&self) {
        for role in Role::ALL {
            let able: Vec<&Member> = self.members.values().filter(|member| member.roles.has(role)).collect();
            let tasks: Tasks = self.plan.tasks(role).collect();
            let counts: Vec<usize> = able
                .iter()
                .map(|member| member.holds.keys().filter(|task| tasks.contains(task)).count())
                .collect();
            let all = if able.is_empty() { 0 } else { tasks.len() };
            assert_eq!(counts.iter().sum::<usize>(), all, "every {role} task is owned: {self:#?}");
            let (most, least) = (counts.iter().max(), counts.iter().min());
            assert!(most.unwrap_or(&0) - least.unwrap_or(&0) <= 1, "{role}: {counts:?}");
        }
    }

    fn owner_by_task(&self) -> BTreeMap<TaskId, String> {
        let holds = |(name, member): (&String, &Member)| {
            member.holds.keys().map(|task| (*task, name.clone())).collect::<Vec<_>>()
        };
        self.members.iter().flat_map(holds).collect()
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..4_u8).prop_map(Step::Join),
        1 => any::<prop::sample::Index>().prop_map(Step::End),
        4 => (any::<prop::sample::Index>(), 0..5_usize).prop_map(|(which, many)| Step::Release(which, many)),
        4 => Just(Step::Rebalance),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn one_owner_always_and_all_tasks_owned_and_balanced_soon(partitions in 1..17_u32, steps in steps()) {
        let mut world = World::new(partitions);
        for step in &steps {
            world.step(step);
        }
        world.settle();
        world.check_complete_and_balanced();
        let settled = world.owner_by_task();
        world.rebalance();
        prop_assert_eq!(world.owner_by_task(), settled, "an unchanged group keeps its assignment");
    }

    #[test]
    fn a_join_moves_one_share_and_an_end_only_the_ended(partitions in 1..17_u32, members in 1..6_usize) {
        let mut world = World::new(partitions);
        for _ in 0..members {
            world.step(&Step::Join(3));
        }
        world.settle();
        let before = world.owner_by_task();
        world.step(&Step::Join(3));
        world.settle();
        let after = world.owner_by_task();
        let moved = before.iter().filter(|(task, owner)| after.get(task) != Some(owner)).count();
        let share = 2 * (partitions as usize).div_ceil(members + 1);
        prop_assert!(moved <= share, "{moved} of at most {share} moved");

        let first = world.members.keys().next().unwrap().clone();
        world.members.remove(&first);
        world.settle();
        let last = world.owner_by_task();
        for (task, owner) in after.iter().filter(|(_, owner)| **owner != first) {
            prop_assert_eq!(last.get(task), Some(owner), "{} moved although its owner stayed", task);
        }
    }
}

#[test]
fn a_free_task_goes_to_the_most_complete_local_store() {
    let world = World::new(4);
    let task = TaskId { subtopology: 0, partition: 0 };
    let behind = |end| BTreeMap::from([(task, Lag { position: 10, end })]);
    let candidate = |lag| Candidate { roles: Roles::all(), lag, ..Candidate::default() };
    let group = Group::from([
        ("a".to_owned(), candidate(BTreeMap::new())),
        ("b".to_owned(), candidate(behind(500))),
        ("c".to_owned(), candidate(behind(11))),
    ]);
    let shares = Sticky.assign(&world.plan, &group);
    assert!(shares["c"].active.contains(&task), "{shares:?}");
}
