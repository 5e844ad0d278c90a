//! What this process is in the group: member id, fence, tasks granted and not yet released.

use std::{collections::BTreeMap, mem, time::Instant};

use millpond_mutants::{Mutant, is};
use millpond_topology::TaskId;

use crate::{
    codec::Assignment,
    event::{Event, Producer, Target},
    fence::Fence,
    plan::Tasks,
    report::Report,
};

/// Generations after which the transactional ids of a member that left are forgotten. One would do if the
/// heir fenced them at once; a release right after a death starts the next generation within milliseconds.
pub const REMEMBERED_GENERATIONS: i32 = 3;

/// Member ids that are remembered; the first, which had the seat, stays, and of the others the oldest gives way.
const GIVEN_MAX: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// As the coordinator gave it, empty before; kept through a loss, because a static member comes back with
    /// it.
    pub(super) member: String,
    /// The member ids of the last seat, if there was one, and of the JoinGroups answered since; kept through a loss.
    given: Vec<String>,
    /// Those of them that were called fenced, since a coordinator last gave an id or knew none.
    fenced: Vec<String>,
    pub(super) report: Report,
    /// When a coordinator last counted this member's session from the start, at the latest.
    pub(super) alive: Instant,
    fence: Option<Fence>,
    /// Generation of the last JoinGroup that was answered.
    heard: Option<i32>,
    /// A generation passed that answered none of this member's JoinGroups since it was seated.
    missed: bool,
    share: Assignment,
    /// Producers of this generation and of the last few.
    known: Vec<Producer>,
    /// Tasks granted and not yet released, with the last generation that granted each.
    granted: BTreeMap<TaskId, i32>,
    /// What the last JoinGroup claimed.
    claimed: Tasks,
    claimed_ready: bool,
}

impl Standing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            member: String::new(),
            given: Vec::new(),
            fenced: Vec::new(),
            report: Report::default(),
            alive: now,
            fence: None,
            heard: None,
            missed: false,
            share: Assignment::default(),
            known: Vec::new(),
            granted: BTreeMap::new(),
            claimed: Tasks::new(),
            claimed_ready: false,
        }
    }

    pub(super) const fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    pub(super) fn known(&self) -> &[Producer] {
        &self.known
    }

    /// Takes the member id that a coordinator gave.
    pub(super) fn call(&mut self, member: &str) {
        member.clone_into(&mut self.member);
        self.fenced.clear();
        if !self.given.iter().any(|given| given == member) {
            if self.given.len() >= GIVEN_MAX {
                self.given.remove(1);
            }
            self.given.push(member.to_owned());
        }
    }

    /// Gives up the member id, which the coordinator does not know.
    pub(super) fn forget_member(&mut self) {
        self.member.clear();
        self.fenced.clear();
    }

    /// Goes on, without a seat, to another member id that this process was given since its last one, the youngest first;
    /// returns whether there was one that the coordinator has not called fenced.
    ///
    /// A coordinator that cannot write hands out member ids and may lose them; its successor knows the last one that was
    /// written, and calls every other one fenced. Only when none of this process's ids is that one, it is another's.
    pub(super) fn call_otherwise(&mut self) -> bool {
        if self.fence.is_some() {
            return false;
        }
        self.fenced.push(self.member.clone());
        let Some(next) = self.given.iter().rev().find(|given| !self.fenced.contains(given)) else {
            return false;
        };
        self.member.clone_from(next);
        true
    }

    /// Notes the answer to a JoinGroup: `generation` was formed with the claims that it carried.
    pub(super) fn hear(&mut self, generation: i32) {
        let last = self.heard.replace(generation).or(self.fence.as_ref().map(Fence::generation));
        self.missed |= self.fence.is_some() && last.is_some_and(|last| generation > last + 1);
    }

    /// Says whether, since it was seated, a generation passed whose JoinGroup this member got no answer to.
    ///
    /// A JoinGroup carries no generation. One that was given up with its connection and arrives late replaces the claims of
    /// the member that sent it, and its tasks look free. That member gets no answer and misses the generation. One that was
    /// answered and ended before its SyncGroup, as when members join one after the other, is not missed: the claims were
    /// this member's own.
    pub(super) fn missed(&self) -> bool {
        self.missed && !is(Mutant::GapIgnored)
    }

    /// Returns the leader's reasons for giving nothing.
    pub(super) fn blocked(&self) -> &[String] {
        &self.share.blocked
    }

    /// Takes the engine's report. What was granted and is neither reported nor too young to be, is released.
    pub(super) fn report(&mut self, report: &Report) {
        if self.report != *report {
            self.report = report.clone();
        }
        let seen = report.generation;
        self.granted.retain(|task, generation| *generation > seen || report.active.contains(task));
    }

    /// Returns what to claim in a JoinGroup and remembers it.
    pub(super) fn claim(&mut self) -> BTreeMap<TaskId, i32> {
        self.claimed = self.granted.keys().copied().collect();
        self.claimed_ready = self.report.ready;
        self.granted.clone()
    }

    /// Tells whether the leader should plan again: a task it waits for is released, or a warm-up has caught
    /// up.
    pub(super) fn wants_plan(&self) -> bool {
        let released = |task: &TaskId| !self.granted.contains_key(task) && !self.share.active.contains(task);
        // A static member that came back within its session has claimed nothing, and got the share of the process before
        // it: what that one was to give up is free, and nobody else knows.
        let waited_for = || !is(Mutant::ReleaseForgotten) && self.share.release.iter().any(released);
        (self.report.ready && !self.claimed_ready) || self.claimed.iter().any(released) || waited_for()
    }

    /// Takes a share under `fence` and returns what the engine must know of it.
    pub(super) fn seat(&mut self, fence: Fence, share: Assignment) -> Event {
        let generation = fence.generation();
        (self.heard, self.missed) = (Some(generation), false);
        self.given = vec![fence.member().to_owned()];
        for task in &share.active {
            self.granted.insert(*task, generation);
        }
        let before = mem::take(&mut self.known);
        self.known = merge(&share.producers, &before, generation);
        let first = self.fence.is_none();
        let old = self.fence.replace(fence.clone()).map_or(-1, |fence| fence.generation());
        let before_share = mem::replace(&mut self.share, share);
        let share = &self.share;
        let same = (&before_share.active, &before_share.standby, &before_share.warmup)
            == (&share.active, &share.standby, &share.warmup);
        if !first && same && alive_and_gone(&before, old) == alive_and_gone(&self.known, generation) {
            return Event::Fence(fence);
        }
        Event::Target(Target {
            fence,
            active: share.active.clone(),
            standby: share.standby.clone(),
            warmup: share.warmup.clone(),
            producers: self.known.clone(),
        })
    }

    /// Forgets everything but the member ids and the known producers.
    pub(super) fn lose(&mut self) {
        self.fence = None;
        (self.heard, self.missed) = (None, false);
        self.share = Assignment::default();
        self.granted.clear();
        self.claimed.clear();
        self.claimed_ready = false;
    }
}

/// Returns `producers` without the generation's number: owner, ids, and whether the owner is in it.
fn alive_and_gone(producers: &[Producer], generation: i32) -> Vec<(&str, &[String], bool)> {
    let view = |producer: &Producer| producer.generation == generation;
    producers.iter().map(|p| (p.owner.as_str(), p.transactional_ids.as_slice(), view(p))).collect()
}

/// Returns `current` and, of `older`, the ids that nobody in `current` uses and that were in use recently.
pub(super) fn merge(current: &[Producer], older: &[Producer], generation: i32) -> Vec<Producer> {
    let mut merged = current.to_vec();
    for producer in older {
        if producer.generation < generation.saturating_sub(REMEMBERED_GENERATIONS) {
            continue;
        }
        let mut gone = producer.clone();
        gone.transactional_ids.retain(|id| !merged.iter().any(|known| known.transactional_ids.contains(id)));
        if !gone.transactional_ids.is_empty() {
            merged.push(gone);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(owner: &str, generation: i32, ids: &[&str]) -> Producer {
        let transactional_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Producer { owner: owner.to_owned(), generation, transactional_ids }
    }

    #[test]
    fn ids_of_the_gone_are_kept_for_a_while_unless_somebody_uses_them_again() {
        let current = [producer("a", 7, &["a-0", "b-1"])];
        let older =
            [producer("b", 6, &["b-0", "b-1"]), producer("c", 3, &["c-0"]), producer("a", 6, &["a-0"])];
        assert_eq!(merge(&current, &older, 7), [current[0].clone(), producer("b", 6, &["b-0"])]);
        assert_eq!(merge(&current, &older, 6).len(), 3);
    }

    #[test]
    fn what_an_earlier_process_was_to_give_up_is_released_by_the_one_after_it() {
        let mut standing = Standing::new(Instant::now());
        let [kept, moved]: [TaskId; 2] = ["0_0", "0_1"].map(|id| id.parse().unwrap());
        let fence = |generation| Fence::new("g", "m", Some("i"), generation).unwrap();
        assert_eq!(standing.claim(), BTreeMap::new());
        let share = Assignment { active: [kept].into(), release: [moved].into(), ..Assignment::default() };
        standing.seat(fence(5), share);
        assert!(standing.wants_plan(), "nobody owns it any more, and the leader does not know");
        assert_eq!(standing.claim(), BTreeMap::from([(kept, 5)]));
        standing.seat(fence(6), Assignment { active: [kept].into(), ..Assignment::default() });
        assert!(!standing.wants_plan());
    }

    #[test]
    fn a_grant_the_engine_has_not_seen_is_not_taken_for_released() {
        let mut standing = Standing::new(Instant::now());
        let task: TaskId = "0_1".parse().unwrap();
        let share = |tasks: &[TaskId]| Assignment {
            active: tasks.iter().copied().collect(),
            ..Assignment::default()
        };
        let fence = |generation| Fence::new("g", "m", None, generation).unwrap();
        standing.seat(fence(5), share(&[task]));
        standing.report(&Report { generation: 4, ..Report::default() });
        assert_eq!(standing.claim(), BTreeMap::from([(task, 5)]));
        standing.seat(fence(6), share(&[]));
        assert!(!standing.wants_plan(), "the engine has seen neither");
        standing.report(&Report { generation: 5, active: [task].into(), ..Report::default() });
        assert!(!standing.wants_plan(), "still owned");
        assert_eq!(
            standing.claim(),
            BTreeMap::from([(task, 5)]),
            "claimed with the generation that granted it"
        );
        standing.report(&Report { generation: 6, ..Report::default() });
        assert!(standing.wants_plan(), "released");
        assert_eq!(standing.claim(), BTreeMap::new());
        assert!(!standing.wants_plan());
    }
}
