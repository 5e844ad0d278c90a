//! A process: its start, its tasks of the simulation, its end; as `src/runtime/streams.rs`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use millpond_membership::{Identity, Machine, Plan, Role, Roles, Settings, Sticky, SubTopology as Shape};
use millpond_topology::TaskId;

use super::instance::{Instance, Member, Parts};
use super::lane::{Lane, STOPPING};
use super::restore::{Restorer, changelog_end, fence_dead};
use super::shared::{Shared, ToInstance, ToThread};
use super::stream_thread::{Search, StreamThread};
use crate::bank;
use crate::broker::Topic;
use crate::disk::Disk;
use crate::executor::{Inbox, MS, TaskRef};
use crate::report::Fault;
use crate::world::{World, note};

/// A running process.
pub(crate) struct Process {
    pub(crate) group: usize,
    pub(crate) shared: Rc<Shared>,
    /// Its stream threads, and the others where those can stall too.
    pub(crate) threads: Vec<TaskRef>,
}

impl Process {
    /// Starts a process in the state directory `disk`.
    pub(crate) fn start(world: &Rc<World>, number: usize, disk: &Rc<RefCell<Disk>>) -> Self {
        let group = world.executor.group();
        let identity = world.scenario.identity(number);
        let random = world.random.borrow_mut().next();
        let scenario = &world.scenario;
        let shared = Rc::new(Shared::new(random, scenario.skew_ms));
        if scenario.skew_ms > 0 {
            world.count(Fault::ClockSkew);
        }
        let ids: Vec<String> =
            (0..scenario.threads).map(|thread| format!("bank-i{identity}-{thread}-a")).collect();
        for id in &ids {
            let known = &mut disk.borrow_mut().transactional_ids;
            if !known.contains(id) {
                known.push(id.clone());
            }
        }
        note!(world, "process {number} starts with {random:016x}");
        let is_static = scenario.statics[identity];
        let inbox: Rc<Inbox<ToInstance>> = Rc::default();
        let threads: Vec<_> = ids.iter().map(|_| Rc::default()).collect();
        let restore = Rc::default();
        let sub = Arc::clone(&world.fleet.borrow().topology.as_ref().unwrap().sub_topologies()[0]);
        let spawn = |(at, id): (usize, &String)| {
            let (world, shared, instance) = (Rc::clone(world), Rc::clone(&shared), Rc::clone(&inbox));
            let (inbox, id) = (Rc::clone(&threads[at]), id.clone());
            let executor = Rc::clone(&world);
            executor.executor.spawn(group, async move {
                let run = run_thread(Rc::clone(&world), Rc::clone(&shared), (at, id), (inbox, instance));
                match run.await {
                    Err(why) if why != STOPPING => shared.fail(&world, why),
                    Ok(()) | Err(_) => {}
                }
            })
        };
        let mut tasks: Vec<TaskRef> = ids.iter().enumerate().map(spawn).collect();
        let restorer = Restorer {
            world: Rc::clone(world),
            whose: number,
            shared: Rc::clone(&shared),
            disk: Rc::clone(disk),
            sub: Arc::clone(&sub),
            inbox: Rc::clone(&restore),
            instance: Rc::clone(&inbox),
        };
        let restoring = world.executor.spawn(group, restorer.run());
        if scenario.stalls_any {
            world.executor.spawn(group, watch(Rc::clone(world), Rc::clone(&shared), threads.clone()));
        }
        let parts = Parts {
            world: Rc::clone(world),
            member: member(world, identity, &ids, random),
            shared: Rc::clone(&shared),
            threads,
            restore,
            inbox,
            stays: is_static && world.chance(700_000),
        };
        let (ending, past) = (Rc::clone(world), disk.borrow().transactional_ids.clone());
        let instance = world.executor.spawn(group, async move {
            let gone: Vec<String> = past.into_iter().filter(|id| !ids.contains(id)).collect();
            fence_dead(&ending, &gone).await;
            let clean = Instance::new(parts).run().await;
            crate::fleet::ended(&ending, number, clean);
        });
        if scenario.stalls_any {
            tasks.extend([restoring, instance]);
        }
        Self { group, shared, threads: tasks }
    }
}

/// Asks for the stable ends of the changelogs of what is owned; as `src/runtime/watch.rs`.
async fn watch(world: Rc<World>, shared: Rc<Shared>, threads: Vec<Rc<Inbox<ToThread>>>) {
    loop {
        world.sleep(world.between(100 * MS, 1000 * MS)).await;
        let owned: Vec<TaskId> = shared.ownership.borrow().snapshot().owned.keys().copied().collect();
        for task in owned {
            let Some(end) = changelog_end(&world, task).await else { continue };
            for thread in &threads {
                thread.push(&world, ToThread::ChangelogEnd(task, end));
            }
        }
    }
}

async fn run_thread(
    world: Rc<World>,
    shared: Rc<Shared>,
    (number, id): (usize, String),
    (inbox, instance): (Rc<Inbox<ToThread>>, Rc<Inbox<ToInstance>>),
) -> Result<(), String> {
    let lane = Lane::start(&world, &shared, id).await?;
    let (tasks, joining) = (Vec::new(), Vec::new());
    let (since, search) = (None, Search::default());
    StreamThread { world, number, shared, inbox, instance, lane, tasks, joining, since, search }.run().await
}

fn member(world: &Rc<World>, identity: usize, ids: &[String], random: u64) -> Member {
    let scenario = &world.scenario;
    let mut settings = Settings::new(bank::APP, vec!["broker:9092".parse().unwrap()]);
    settings.instance = scenario.statics[identity].then(|| format!("i{identity}"));
    settings.session_timeout = Duration::from_micros(scenario.session);
    settings.heartbeat_interval = Duration::from_micros(scenario.heartbeat);
    settings.jitter_seed = random;
    let identity = Identity {
        roles: Roles::none().with(Role::Processor),
        threads: u16::try_from(ids.len()).unwrap(),
        endpoint: None,
        transactional_ids: ids.to_vec(),
        topology: vec![1],
    };
    let topics = Topic::INPUTS.iter().map(|topic| topic.name().to_owned()).collect();
    let shape = Shape { id: 0, topics, partitions: scenario.partitions, role: Role::Processor };
    let plan = Plan::new(vec![shape]).unwrap();
    let start = world.start;
    let machine =
        Machine::new(settings, identity, plan, Arc::new(Sticky), start + Duration::from_micros(world.now()))
            .unwrap();
    Member { world: Rc::clone(world), machine, start, line: None, inbox: Rc::default(), events: Vec::new() }
}
