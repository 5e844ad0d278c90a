//! The classic group coordinator: joins, syncs, heartbeats, sessions, static members; answers in the protocol's own bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::frames::{Request, Who, Writer, read};
use super::transactions::{Answer, FenceSent};
use crate::executor::{MS, Micros};
use crate::network::Line;
use crate::report::Fault;
use crate::world::{World, note};

const ILLEGAL_GENERATION: i16 = 22;
const UNKNOWN_MEMBER: i16 = 25;
const REBALANCING: i16 = 27;
const LOADING: i16 = 14;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE: i16 = 82;

/// Who waits for an answer, and where.
#[derive(Clone)]
struct Asker {
    line: Rc<Line>,
    correlation: i32,
}

#[derive(Clone)]
struct Member {
    instance: Option<String>,
    session: Micros,
    rebalance: Micros,
    metadata: Vec<u8>,
    assignment: Vec<u8>,
    joining: Option<Asker>,
    syncing: Option<Asker>,
    seen: Micros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Empty,
    Preparing,
    Completing,
    Stable,
}

/// What the coordinator has written down: what it knows again after a restart.
#[derive(Clone, Default)]
struct Stored {
    state: State,
    generation: i32,
    leader: String,
    members: BTreeMap<String, Member>,
}

/// The group.
#[derive(Default)]
pub(crate) struct Group {
    now: Stored,
    stored: Stored,
    /// Ids handed out with MEMBER_ID_REQUIRED.
    promised: BTreeSet<String>,
    ids: u64,
    round: u64,
    /// How often a static member took the place of another.
    pub(super) replaced: u64,
    loading_until: Micros,
}

impl Group {
    /// Takes a request that has arrived.
    pub(crate) fn request(&mut self, world: &Rc<World>, line: &Rc<Line>, frame: &[u8]) {
        let (correlation, request) = read(frame);
        let asker = Asker { line: Rc::clone(line), correlation };
        let loading = world.now() < self.loading_until;
        match request {
            Request::Find => {
                let mut out = Writer::new(correlation);
                let code = if loading { 15 } else { 0 };
                out.i32(0).i16(code).text(None).i32(1).text(Some("coordinator")).i32(9092);
                line.answer(world, out.frame());
            }
            Request::Join { who, session_ms, rebalance_ms, metadata } => {
                if loading {
                    return self.answer_join(world, &asker, LOADING, &who.member);
                }
                let micros = |ms: i32| u64::try_from(ms).unwrap() * MS;
                let member = Member {
                    instance: who.instance.clone(),
                    session: micros(session_ms),
                    rebalance: micros(rebalance_ms),
                    metadata,
                    assignment: Vec::new(),
                    joining: Some(asker),
                    syncing: None,
                    seen: world.now(),
                };
                self.join(world, &who, member);
            }
            Request::Sync { generation, who, assignments } => {
                let code =
                    if loading { LOADING } else { self.sync(world, (generation, &who), assignments, &asker) };
                if code >= 0 {
                    self.answer_sync(world, &asker, code, &who.member);
                }
            }
            Request::Beat { generation, who } => {
                let code = if loading { LOADING } else { self.beat(world, generation, &who) };
                let mut out = Writer::new(correlation);
                out.i32(0).i16(code);
                line.answer(world, out.frame());
            }
            Request::Leave { who } => {
                let known = !loading && self.now.members.contains_key(&who.member);
                if known {
                    note!(world, "group: {} leaves", who.member);
                    self.remove(world, &who.member);
                }
                let mut out = Writer::new(correlation);
                out.i32(0).i16(if loading { LOADING } else { 0 }).i32(1);
                out.text(Some(&who.member)).text(who.instance.as_deref()).i16(if known {
                    0
                } else {
                    UNKNOWN_MEMBER
                });
                line.answer(world, out.frame());
            }
        }
    }

    fn static_holder(&self, instance: &str) -> Option<String> {
        let held = |(_, member): &(&String, &Member)| member.instance.as_deref() == Some(instance);
        self.now.members.iter().find(held).map(|(id, _)| id.clone())
    }

    fn new_id(&mut self) -> String {
        self.ids += 1;
        format!("m{}", self.ids)
    }

    /// Says why `who` is not the member that it says, if it is not.
    fn stranger(&self, who: &Who) -> Option<i16> {
        if let Some(instance) = &who.instance
            && self.static_holder(instance).is_some_and(|holder| holder != who.member)
        {
            return Some(FENCED_INSTANCE);
        }
        (!self.now.members.contains_key(&who.member)).then_some(UNKNOWN_MEMBER)
    }

    fn join(&mut self, world: &Rc<World>, who: &Who, member: Member) {
        let asker = member.joining.clone();
        let refuse = |group: &Self, code: i16, id: &str| {
            if let Some(asker) = &asker {
                group.answer_join(world, asker, code, id);
            }
        };
        if who.member.is_empty() {
            let id = self.new_id();
            match &who.instance {
                None => {
                    self.promised.insert(id.clone());
                    refuse(self, MEMBER_ID_REQUIRED, &id);
                }
                Some(instance) => match self.static_holder(instance) {
                    Some(old) => self.replace(world, &old, id, member),
                    None => {
                        self.now.members.insert(id.clone(), member);
                        self.watch(world, &id);
                        self.rebalance(world);
                    }
                },
            }
            return;
        }
        if self.promised.remove(&who.member) {
            self.now.members.insert(who.member.clone(), member);
            self.watch(world, &who.member);
            self.rebalance(world);
            return;
        }
        if let Some(code) = self.stranger(who) {
            refuse(self, code, &who.member);
            return;
        }
        let leads = self.now.leader == who.member;
        let Some(known) = self.now.members.get_mut(&who.member) else { return };
        let same = known.metadata == member.metadata;
        known.seen = world.now();
        known.metadata = member.metadata;
        let current = match self.now.state {
            State::Stable => same && !leads,
            State::Completing => same,
            State::Empty | State::Preparing => false,
        };
        if current {
            if let Some(asker) = asker {
                self.answer_joined(world, &asker, &who.member);
            }
            return;
        }
        known.joining = asker;
        self.rebalance(world);
    }

    /// A static member comes back with a new member id: no rebalance while the group is stable.
    fn replace(&mut self, world: &Rc<World>, old: &str, id: String, member: Member) {
        let Some(before) = self.now.members.remove(old) else { return };
        note!(world, "group: {id} takes the place of {old}");
        self.replaced += 1;
        if let Some(asker) = &before.joining {
            self.answer_join(world, asker, FENCED_INSTANCE, old);
        }
        if let Some(asker) = &before.syncing {
            self.answer_sync(world, asker, FENCED_INSTANCE, old);
        }
        let asker = member.joining.clone();
        let led = std::mem::take(&mut self.now.leader);
        let leader = if led == old { id.clone() } else { led.clone() };
        self.now.leader = leader;
        let assignment = before.assignment;
        let stable = self.now.state == State::Stable;
        let joining = if stable { None } else { asker.clone() };
        self.now.members.insert(id.clone(), Member { assignment, joining, ..member });
        self.watch(world, &id);
        if stable {
            self.stored = self.now.clone();
            let mut out = Writer::new(asker.as_ref().map_or(0, |asker| asker.correlation));
            // The old leader's id: who comes back is not to lead before the next round.
            out.i32(0).i16(0).i32(self.now.generation).text(Some("millpond-v1")).text(Some(&led));
            out.text(Some(&id)).i32(0);
            if let Some(asker) = asker {
                asker.line.answer(world, out.frame());
            }
        } else {
            self.rebalance(world);
        }
    }

    /// Begins a round, or ends it when everybody is there.
    fn rebalance(&mut self, world: &Rc<World>) {
        if self.now.state != State::Preparing {
            let waiting: Vec<(String, Asker)> = self
                .now
                .members
                .iter_mut()
                .filter_map(|(id, member)| member.syncing.take().map(|asker| (id.clone(), asker)))
                .collect();
            for (id, asker) in waiting {
                self.answer_sync(world, &asker, REBALANCING, &id);
            }
            self.now.state = State::Preparing;
            self.round += 1;
            let round = self.round;
            let longest = self.now.members.values().map(|member| member.rebalance).max().unwrap_or(0);
            world.executor.at(world.now() + longest, move |world| {
                let mut broker = world.broker.borrow_mut();
                if broker.group.round == round {
                    broker.group.close_round(world);
                }
            });
        }
        if self.now.members.values().all(|member| member.joining.is_some()) {
            self.close_round(world);
        }
    }

    fn close_round(&mut self, world: &Rc<World>) {
        if self.now.state != State::Preparing {
            return;
        }
        self.now.members.retain(|_, member| member.joining.is_some() || member.instance.is_some());
        self.round += 1;
        let joined = |group: &Self, id: &str| group.now.members.get(id).is_some_and(|m| m.joining.is_some());
        if !self.now.members.values().any(|member| member.joining.is_some()) {
            self.now.state = if self.now.members.is_empty() { State::Empty } else { State::Stable };
            self.now.generation += 1;
            return;
        }
        if !joined(self, &self.now.leader) {
            let first = self.now.members.iter().find(|(_, member)| member.joining.is_some());
            self.now.leader = first.map(|(id, _)| id.clone()).unwrap_or_default();
        }
        self.now.generation += 1;
        self.now.state = State::Completing;
        world.tally.borrow_mut().generations += 1;
        note!(world, "group: generation {} of {:?}", self.now.generation, self.now.members.keys());
        let ids: Vec<String> = self.now.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.now.members.get_mut(&id) else { continue };
            member.assignment.clear();
            let Some(asker) = member.joining.take() else { continue };
            member.seen = world.now();
            self.watch(world, &id);
            self.answer_joined(world, &asker, &id);
        }
        let (round, longest) = (self.round, self.now.members.values().map(|member| member.rebalance).max());
        world.executor.at(world.now() + longest.unwrap_or(0), move |world| {
            let mut broker = world.broker.borrow_mut();
            let group = &mut broker.group;
            if group.round == round && group.now.state == State::Completing {
                group.now.members.retain(|_, member| member.syncing.is_some());
                group.rebalance(world);
            }
        });
    }

    fn sync(
        &mut self,
        world: &Rc<World>,
        (generation, who): (i32, &Who),
        assignments: Vec<(String, Vec<u8>)>,
        asker: &Asker,
    ) -> i16 {
        if let Some(code) = self.stranger(who) {
            return code;
        }
        if generation != self.now.generation {
            return ILLEGAL_GENERATION;
        }
        match self.now.state {
            State::Empty => UNKNOWN_MEMBER,
            State::Preparing => REBALANCING,
            State::Stable => {
                self.touch(world, &who.member);
                0
            }
            State::Completing => {
                if let Some(member) = self.now.members.get_mut(&who.member) {
                    member.syncing = Some(asker.clone());
                    member.seen = world.now();
                }
                if self.now.leader == who.member {
                    for (id, bytes) in assignments {
                        if let Some(member) = self.now.members.get_mut(&id) {
                            member.assignment = bytes;
                        }
                    }
                    self.now.state = State::Stable;
                    let ids: Vec<String> = self.now.members.keys().cloned().collect();
                    for id in ids {
                        let asker = self.now.members.get_mut(&id).and_then(|member| member.syncing.take());
                        if let Some(asker) = asker {
                            self.touch(world, &id);
                            self.answer_sync(world, &asker, 0, &id);
                        }
                    }
                    self.stored = self.now.clone();
                }
                -1
            }
        }
    }

    fn beat(&mut self, world: &Rc<World>, generation: i32, who: &Who) -> i16 {
        if let Some(code) = self.stranger(who) {
            return code;
        }
        if generation != self.now.generation {
            return ILLEGAL_GENERATION;
        }
        self.touch(world, &who.member);
        if self.now.state == State::Preparing { REBALANCING } else { 0 }
    }

    fn touch(&mut self, world: &Rc<World>, id: &str) {
        if let Some(member) = self.now.members.get_mut(id) {
            member.seen = world.now();
        }
    }

    /// Looks again when the session of `id` may be over.
    fn watch(&self, world: &Rc<World>, id: &str) {
        let Some(member) = self.now.members.get(id) else { return };
        let (id, at) = (id.to_owned(), (member.seen + member.session).max(world.now() + MS));
        world.executor.at(at, move |world| {
            let mut broker = world.broker.borrow_mut();
            if !broker.is_up(world.now()) {
                return;
            }
            let group = &mut broker.group;
            let Some(member) = group.now.members.get(&id) else { return };
            let waits = member.joining.is_some() || member.syncing.is_some();
            if !waits && world.now() >= member.seen + member.session {
                note!(world, "group: session of {id} is over");
                world.count(Fault::SessionTimeout);
                group.remove(world, &id);
            } else {
                group.watch(world, &id);
            }
        });
    }

    fn remove(&mut self, world: &Rc<World>, id: &str) {
        self.now.members.remove(id);
        if self.now.members.is_empty() {
            self.now.state = State::Empty;
            self.now.generation += 1;
            self.stored = self.now.clone();
        } else {
            self.rebalance(world);
        }
    }

    fn answer_join(&self, world: &Rc<World>, asker: &Asker, code: i16, member: &str) {
        let mut out = Writer::new(asker.correlation);
        out.i32(0).i16(code).i32(-1).text(Some("")).text(Some("")).text(Some(member)).i32(0);
        asker.line.answer(world, out.frame());
    }

    fn answer_joined(&self, world: &Rc<World>, asker: &Asker, id: &str) {
        let mut out = Writer::new(asker.correlation);
        let Stored { generation, leader, members, .. } = &self.now;
        out.i32(0).i16(0).i32(*generation).text(Some("millpond-v1")).text(Some(leader)).text(Some(id));
        if leader == id {
            out.i32(i32::try_from(members.len()).unwrap());
            for (id, member) in members {
                out.text(Some(id)).text(member.instance.as_deref()).bytes(&member.metadata);
            }
        } else {
            out.i32(0);
        }
        asker.line.answer(world, out.frame());
    }

    fn answer_sync(&self, world: &Rc<World>, asker: &Asker, code: i16, id: &str) {
        let assignment =
            self.now.members.get(id).filter(|_| code == 0).map(|member| member.assignment.clone());
        let mut out = Writer::new(asker.correlation);
        out.i32(0).i16(code).bytes(&assignment.unwrap_or_default());
        asker.line.answer(world, out.frame());
    }

    /// Says why offsets under `fence` are refused, if they are.
    pub(super) fn refuses(&self, fence: &FenceSent) -> Option<Answer> {
        if fence.member.is_empty() && fence.generation < 0 {
            return None;
        }
        let who = Who { member: fence.member.clone(), instance: fence.instance.clone() };
        match self.stranger(&who) {
            Some(FENCED_INSTANCE) => Some(Answer::FencedInstance),
            Some(_) => Some(Answer::UnknownMember),
            None => (fence.generation != self.now.generation).then_some(Answer::IllegalGeneration),
        }
    }

    /// Goes back to what was written down; connections are gone.
    pub(super) fn restarted(&mut self, until: Micros) {
        self.now = self.stored.clone();
        for member in self.now.members.values_mut() {
            (member.joining, member.syncing) = (None, None);
        }
        self.round += 1;
        self.loading_until = until + 20 * MS;
    }

    /// Sessions begin anew.
    pub(super) fn up(&mut self, world: &Rc<World>) {
        let ids: Vec<String> = self.now.members.keys().cloned().collect();
        for id in ids {
            self.touch(world, &id);
            self.watch(world, &id);
        }
    }
}
