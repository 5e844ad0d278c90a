//! The assignor millpond runs with: sticky, balanced, no standbys.

use std::{cmp::Reverse, collections::BTreeMap};

use millpond_topology::TaskId;

use crate::{
    assign::{Assignor, Candidate, Group, Placement, owners},
    plan::Plan,
    role::Role,
};

/// Keeps tasks where they are, moves as few as balance needs, and gives free ones to the member with the most
/// complete local store, else to the least loaded.
///
/// Balanced: among the members with a role, the numbers of its tasks differ by at most one. A surplus task
/// stays unassigned for one generation, until its owner has released it; who is to get it is decided then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sticky;

/// A member while the tasks of one role are shared.
struct Seat<'a> {
    member: &'a str,
    candidate: &'a Candidate,
    owned: Vec<TaskId>,
    quota: usize,
}

impl Assignor for Sticky {
    fn assign(&self, plan: &Plan, group: &Group) -> BTreeMap<String, Placement> {
        let owners = owners(group);
        let mut shares: BTreeMap<String, Placement> =
            group.keys().map(|member| (member.clone(), Placement::default())).collect();
        for role in Role::ALL {
            share_role(role, plan, group, &owners, &mut shares);
        }
        shares
    }
}

fn share_role(
    role: Role,
    plan: &Plan,
    group: &Group,
    owners: &BTreeMap<TaskId, &str>,
    shares: &mut BTreeMap<String, Placement>,
) {
    let mut owned: BTreeMap<&str, Vec<TaskId>> = BTreeMap::new();
    let mut free = Vec::new();
    for task in plan.tasks(role) {
        match owners.get(&task) {
            Some(owner) => owned.entry(owner).or_default().push(task),
            None => free.push(task),
        }
    }
    let mut seats: Vec<Seat<'_>> = group
        .iter()
        .filter(|(_, candidate)| candidate.roles.has(role))
        .map(|(member, candidate)| {
            let owned = owned.remove(member.as_str()).unwrap_or_default();
            Seat { member, candidate, owned, quota: 0 }
        })
        .collect();
    let (tasks, members) = (plan.tasks(role).count(), seats.len());
    if members == 0 {
        return;
    }
    // The larger shares go to those who own most already, so that nothing moves for the sake of the
    // remainder.
    let load = |shares: &BTreeMap<String, Placement>, member: &str| {
        shares.get(member).map_or(0, |share| share.active.len())
    };
    seats.sort_by_key(|seat| (Reverse(seat.owned.len()), load(shares, seat.member), seat.member));
    for (rank, seat) in seats.iter_mut().enumerate() {
        seat.quota = tasks / members + usize::from(rank < tasks % members);
        let kept = seat.owned.iter().take(seat.quota).copied().collect::<Vec<_>>();
        seat.quota -= kept.len();
        shares.entry(seat.member.to_owned()).or_default().active.extend(kept);
    }
    for task in free {
        let best = seats.iter_mut().filter(|seat| seat.quota > 0).min_by_key(|seat| {
            let behind = seat.candidate.lag.get(&task).map_or(u64::MAX, |lag| lag.offsets());
            (behind, Reverse(seat.quota), load(shares, seat.member), seat.member)
        });
        // The quotas add up to all tasks, and at most the free ones are still to be placed.
        let Some(best) = best else { continue };
        best.quota -= 1;
        shares.entry(best.member.to_owned()).or_default().active.insert(task);
    }
}
