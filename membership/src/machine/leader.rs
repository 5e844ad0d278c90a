//! The leader's part: reading what the members said and sharing the tasks.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    assign::{Assignor, Candidate, Group, Unclaimed, enforce},
    codec::{Assignment, Peer, Subscription},
    event::Producer,
    machine::standing::merge,
    plan::Plan,
    role::Roles,
};

/// Returns the assignment of every member, in bytes.
///
/// `topology` is the leader's own hash; `known` are the producers of its last generations.
pub(super) fn lead(
    plan: &Plan,
    assignor: &dyn Assignor,
    topology: &[u8],
    known: &[Producer],
    (generation, peers): (i32, &[Peer]),
) -> Vec<(String, Bytes)> {
    let mut group = Group::new();
    let mut producers = Vec::new();
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut unclaimed = Unclaimed::Free;
    for peer in peers {
        match Subscription::decode(&peer.subscription) {
            Ok(said) => {
                producers.push(producer(peer, &said, generation));
                let refused = said.identity.topology != topology;
                if refused {
                    let reason = "its topology differs from the leader's: run one version in all members";
                    reasons.entry(&peer.member).or_default().push(reason.to_owned());
                }
                let roles = if refused { Roles::none() } else { said.identity.roles };
                let candidate = Candidate {
                    roles,
                    threads: said.identity.threads,
                    instance: peer.instance.clone(),
                    owned: said.owned,
                    lag: said.lag,
                };
                group.insert(peer.member.clone(), candidate);
            }
            Err(error) => {
                unclaimed = Unclaimed::Unknown;
                reasons.entry(&peer.member).or_default().push(format!("the leader cannot read it: {error}"));
            }
        }
    }
    let producers = merge(&producers, known, generation);
    let mut shares = enforce(plan, &group, unclaimed, assignor.assign(plan, &group));
    let encoded = |peer: &Peer| {
        let share = shares.remove(&peer.member).unwrap_or_default();
        let claimed = group.get(&peer.member).into_iter().flat_map(|candidate| candidate.owned.keys());
        let release = claimed.filter(|task| !share.active.contains(*task)).copied().collect();
        let blocked = reasons.remove(peer.member.as_str()).unwrap_or_default();
        let assignment = Assignment {
            active: share.active,
            standby: share.standby,
            warmup: share.warmup,
            release,
            producers: producers.clone(),
            blocked,
        };
        (peer.member.clone(), assignment.encode(plan))
    };
    peers.iter().map(encoded).collect()
}

fn producer(peer: &Peer, said: &Subscription, generation: i32) -> Producer {
    let owner = peer.instance.clone().unwrap_or_else(|| peer.member.clone());
    Producer { owner, generation, transactional_ids: said.identity.transactional_ids.clone() }
}
