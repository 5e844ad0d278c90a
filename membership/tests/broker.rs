//! Members against a real Apache Kafka broker, named by `MILLPOND_TEST_BROKERS`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

use std::{
    env, process,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use millpond_membership::{
    ClassicMember, Down, Event, Fence, HostPort, Identity, Leave, Membership, Plan, Report, Role, Roles,
    Settings, Sticky, SubTopology, Target, Tasks, Why,
};

/// The broker's smallest session unless it is configured otherwise.
const SESSION: Duration = Duration::from_secs(6);
/// What a loaded machine may add to anything.
const SLACK: Duration = Duration::from_secs(4);

/// A member and an engine that owns what it is told to.
struct Instance {
    name: &'static str,
    member: ClassicMember,
    report: Report,
    /// Tasks to finish before they are released.
    keeps: bool,
    target: Option<Target>,
    fence: Option<Fence>,
    lost: Option<Why>,
    events: Vec<Event>,
}

fn brokers() -> Vec<HostPort> {
    let brokers = env::var("MILLPOND_TEST_BROKERS").expect(
        "MILLPOND_TEST_BROKERS is not set: \
         name a running Kafka broker as host:port (`./dev up` starts one)",
    );
    brokers
        .split(',')
        .map(|broker| broker.parse().expect("MILLPOND_TEST_BROKERS is host:port[,host:port]"))
        .collect()
}

fn group(test: &str) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("membership-{test}-{}-{}", process::id(), since.as_micros())
}

impl Instance {
    fn start(group: &str, name: &'static str, instance: Option<&str>) -> Self {
        let topics = vec!["orders".to_owned(), "commands".to_owned()];
        let plan =
            Plan::new(vec![SubTopology { id: 0, topics, partitions: 4, role: Role::Processor }]).unwrap();
        let settings = Settings {
            instance: instance.map(str::to_owned),
            client: name.to_owned(),
            session_timeout: SESSION,
            heartbeat_interval: Duration::from_millis(200),
            ..Settings::new(group, brokers())
        };
        let identity = Identity {
            roles: Roles::all(),
            threads: 2,
            transactional_ids: vec![format!("{group}-{name}-0-a")],
            ..Identity::default()
        };
        let member = ClassicMember::new(settings, identity, plan, Arc::new(Sticky), Instant::now()).unwrap();
        let (report, events) = (Report::default(), Vec::new());
        Self { name, member, report, keeps: false, target: None, fence: None, lost: None, events }
    }

    fn owned(&self) -> &Tasks {
        &self.report.active
    }

    fn generation(&self) -> i32 {
        self.fence.as_ref().map_or(-1, Fence::generation)
    }

    fn beat(&mut self) -> Result<(), Down> {
        let events = self.member.beat(Instant::now(), &self.report)?;
        for event in events {
            match &event {
                Event::Target(target) => {
                    self.report.generation = target.fence.generation();
                    if !self.keeps {
                        self.report.active.clear();
                    }
                    self.report.active.extend(&target.active);
                    self.fence = Some(target.fence.clone());
                    self.target = Some(target.clone());
                }
                Event::Fence(fence) => {
                    self.report.generation = fence.generation();
                    self.fence = Some(fence.clone());
                }
                Event::Lost(why) => {
                    self.lost = Some(*why);
                    (self.report, self.target, self.fence) = (Report::default(), None, None);
                }
                Event::Hold(_) | Event::Blocked(_) => {}
            }
            self.events.push(event);
        }
        Ok(())
    }
}

/// Drives all instances until `done`, checks that no task ever has two owners, and returns how long it took.
fn until(
    limit: Duration,
    instances: &mut [&mut Instance],
    done: impl Fn(&[&mut Instance]) -> bool,
) -> Duration {
    let started = Instant::now();
    loop {
        for instance in instances.iter_mut() {
            if instance.lost != Some(Why::FencedInstance) {
                instance.beat().unwrap();
            }
        }
        let mut owned = Tasks::new();
        for task in instances.iter().flat_map(|instance| instance.owned()) {
            assert!(owned.insert(*task), "{task} has two owners");
        }
        if done(instances) {
            return started.elapsed();
        }
        if started.elapsed() > limit {
            let seen: Vec<_> = instances.iter().map(|i| (i.name, i.owned(), &i.lost, &i.events)).collect();
            panic!("not within {limit:?}: {seen:#?}");
        }
    }
}

fn counts(instances: &[&mut Instance]) -> Vec<usize> {
    instances.iter().map(|instance| instance.owned().len()).collect()
}

#[test]
fn one_member_gets_every_task_and_leaves() {
    let group = group("one");
    let mut a = Instance::start(&group, "a", None);
    let took = until(SESSION, &mut [&mut a], |all| counts(all) == [4]);
    let fence = a.fence.clone().unwrap();
    assert_eq!((fence.group(), fence.generation(), fence.instance()), (group.as_str(), 1, None));
    assert!(fence.member().starts_with("a-"), "{fence:?}");
    let producers = &a.target.as_ref().unwrap().producers;
    assert_eq!(producers[0].transactional_ids, [format!("{group}-a-0-a")]);
    a.member.leave(Instant::now(), Leave::Gone, SLACK);
    assert_eq!(a.beat(), Err(Down::Ended));
    println!("first join {took:?}");
}

#[test]
fn two_members_share_and_a_clean_leave_hands_over_at_once() {
    let group = group("two");
    let mut a = Instance::start(&group, "a", None);
    until(SESSION, &mut [&mut a], |all| counts(all) == [4]);
    let mut b = Instance::start(&group, "b", None);
    let shared = until(SESSION, &mut [&mut a, &mut b], |all| counts(all) == [2, 2]);
    assert_eq!(a.generation(), b.generation());
    assert!(a.events.contains(&Event::Hold(true)), "{:?}", a.events);

    a.member.leave(Instant::now(), Leave::Gone, SLACK);
    let took = until(SESSION, &mut [&mut b], |all| counts(all) == [4]);
    assert!(took < SESSION - Duration::from_secs(2), "a clean leave is not waited out: {took:?}");
    let gone =
        b.target.as_ref().unwrap().producers.iter().find(|p| p.transactional_ids[0].ends_with("-a-0-a"));
    assert!(gone.unwrap().generation < b.generation(), "the heir knows the ids of the one that left");
    println!("shared {shared:?}, handed over {took:?}");
}

#[test]
fn a_task_waits_for_its_owner_to_finish() {
    let group = group("finish");
    let mut a = Instance::start(&group, "a", None);
    a.keeps = true;
    until(SESSION, &mut [&mut a], |all| counts(all) == [4]);
    let mut b = Instance::start(&group, "b", None);
    until(SESSION, &mut [&mut a, &mut b], |all| all[0].target.as_ref().unwrap().active.len() == 2);
    let started = Instant::now();
    until(SESSION, &mut [&mut a, &mut b], |_| started.elapsed() > Duration::from_secs(1));
    assert_eq!((a.owned().len(), b.owned().len()), (4, 0), "nothing moves before it is released");
    a.report.active = a.target.as_ref().unwrap().active.clone();
    a.keeps = false;
    let took = until(SESSION, &mut [&mut a, &mut b], |all| counts(all) == [2, 2]);
    println!("released to owned {took:?}");
}

#[test]
fn the_heir_of_a_killed_member_owns_its_tasks_within_the_session() {
    let group = group("kill");
    let mut a = Instance::start(&group, "a", None);
    let mut b = Instance::start(&group, "b", None);
    until(SESSION + SLACK, &mut [&mut a, &mut b], |all| counts(all) == [2, 2]);
    let old = b.generation();
    drop(a);
    let took = until(SESSION + SLACK, &mut [&mut b], |all| counts(all) == [4]);
    assert!(b.generation() > old);
    println!("killed to owned {took:?}");
}

#[test]
fn a_static_member_is_back_in_the_same_generation() {
    let group = group("static");
    let mut a = Instance::start(&group, "a", Some("i-a"));
    let mut b = Instance::start(&group, "b", Some("i-b"));
    until(SESSION + SLACK, &mut [&mut a, &mut b], |all| counts(all) == [2, 2]);
    let (generation, owned, old) = (a.generation(), a.owned().clone(), a.fence.clone().unwrap());
    a.member.leave(Instant::now(), Leave::Back, SLACK);
    drop(a);
    let mut again = Instance::start(&group, "a", Some("i-a"));
    let took = until(SLACK, &mut [&mut again, &mut b], |all| counts(all) == [2, 2]);
    assert_eq!((again.generation(), again.owned()), (generation, &owned));
    assert_ne!(again.fence.as_ref().unwrap().member(), old.member(), "the old fence is void");
    until(SLACK, &mut [&mut again, &mut b], |all| all[1].generation() == generation);
    println!("back {took:?}");
}

#[test]
fn a_second_process_with_the_same_instance_id_fences_the_first() {
    let group = group("duplicate");
    let mut a = Instance::start(&group, "a", Some("i"));
    until(SESSION, &mut [&mut a], |all| counts(all) == [4]);
    let mut twin = Instance::start(&group, "twin", Some("i"));
    // Both believe to own all for a moment: transactions of the first are refused from the second's join on.
    let started = Instant::now();
    while a.lost.is_none() {
        twin.beat().unwrap();
        a.beat().unwrap();
        assert!(started.elapsed() < SLACK, "{:?}", a.events);
    }
    assert_eq!(a.lost, Some(Why::FencedInstance));
    a.member.acknowledge_lost(Instant::now()).unwrap();
    assert_eq!(a.beat(), Err(Down::Ended), "the process has to end");
    until(SLACK, &mut [&mut twin], |all| counts(all) == [4]);
}

#[test]
fn a_member_thrown_out_comes_back_only_after_the_loss_is_acknowledged() {
    let group = group("thrown");
    let mut a = Instance::start(&group, "a", Some("i"));
    until(SESSION, &mut [&mut a], |all| counts(all) == [4]);
    // As after a pause longer than the session: silent, then back.
    std::thread::sleep(SESSION + Duration::from_secs(1));
    a.beat().unwrap();
    assert_eq!(a.lost, Some(Why::SessionExpired));
    let started = Instant::now();
    until(SLACK, &mut [&mut a], |_| started.elapsed() > Duration::from_secs(1));
    assert!(a.fence.is_none());
    a.member.acknowledge_lost(Instant::now()).unwrap();
    until(SESSION, &mut [&mut a], |all| counts(all) == [4]);
}
