//! A member of the group that is no process: it joins and leaves as fast as the broker allows and runs nothing.

use std::sync::Arc;
use std::time::Instant;

use millpond_membership::{
    ClassicMember, Event, HostPort, Identity, Leave, Membership, Plan, Report, Role, Settings, Sticky,
    SubTopology,
};

use super::PATIENCE;
use crate::support::World;

/// Who is sent into the group again and again.
pub(super) struct Puppet {
    settings: Settings,
    plan: Plan,
}

impl Puppet {
    pub(super) fn new(world: &World) -> Self {
        let brokers = world.brokers.split(',').map(str::parse::<HostPort>);
        let brokers: Result<Vec<_>, _> = brokers.collect();
        let brokers = brokers.unwrap_or_else(|error| panic!("{}: {error}", world.brokers));
        let topics = vec![world.topic("order.events"), world.topic("account.commands")];
        let plan = Plan::new(vec![SubTopology { id: 0, topics, partitions: 4, role: Role::Processor }]);
        let settings = Settings { client: "puppet".to_owned(), ..Settings::new(&world.app, brokers) };
        Self { settings, plan: plan.unwrap_or_else(|error| panic!("plan: {error}")) }
    }

    /// Joins, stays until it is seated, calls `seated` with its generation, and leaves. It has no role, so that it is given no
    /// task and every task stays where it is.
    pub(super) fn visit(&self, seated: impl FnOnce(i32)) {
        let (settings, plan) = (self.settings.clone(), self.plan.clone());
        let (begun, nobody) = (Instant::now(), Identity::default());
        let member = ClassicMember::new(settings, nobody, plan, Arc::new(Sticky), begun);
        let mut member = member.unwrap_or_else(|error| panic!("puppet: {error}"));
        let generation = loop {
            assert!(begun.elapsed() < PATIENCE, "the puppet is not seated");
            let events = member.beat(Instant::now(), &Report::default());
            let events = events.unwrap_or_else(|error| panic!("puppet: {error}"));
            let seat = events.iter().find_map(|event| match event {
                Event::Target(target) => {
                    assert!(target.active.is_empty(), "the puppet was given {:?}", target.active);
                    Some(target.fence.generation())
                }
                _ => None,
            });
            if let Some(generation) = seat {
                break generation;
            }
        };
        seated(generation);
        member.leave(Instant::now(), Leave::Gone, PATIENCE);
    }
}
