//! One round from its plan to its verdict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lost_ends::end_lost;
use crate::proxy::Rule;
use crate::support::{Background, Ends, Node, Random, World, group_lag, output_ends};

use super::draw::Plan;
use super::fault::{CRASH_POINTS, Kind, rule};
use super::seat::Seat;
use super::servers::Servers;
use super::tally::Tally;

/// Longest time from the end of the faults until everything is processed.
const DRAIN_MAX: Duration = Duration::from_secs(150);
/// Time after which an operator looks whether the broker itself lost the end of a transaction.
const OPERATOR_AFTER: Duration = Duration::from_secs(40);
/// Rules at work at the same time.
const RULES_MAX: usize = 4;
const TURN: Duration = Duration::from_millis(50);

/// A round at work.
pub(super) struct Round<'a> {
    plan: Plan,
    servers: &'a Servers,
    world: World,
    seats: Vec<Seat>,
    random: Random,
    rules: Vec<(Kind, Arc<Rule>)>,
    load: Background,
}

impl<'a> Round<'a> {
    /// Begins the round of `seed`.
    pub(super) fn start(seed: u64, servers: &'a Servers) -> Self {
        let seconds = super::number("MILLPOND_TEST_TORTURE_ROUND_S");
        let plan = Plan::of(seed, &servers.kinds(), seconds);
        eprintln!("{plan:?}");
        let settings: Vec<(&str, &str)> =
            plan.settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let world = servers.world("torture", &settings);
        let mut seats: Vec<Seat> = (0..plan.seats).map(|number| Seat::new(number, &world.brokers)).collect();
        seats.iter_mut().take(plan.begin).for_each(|seat| seat.wanted = true);
        let load: Vec<&str> = plan.load.iter().map(String::as_str).collect();
        let load = world.start_load(&load);
        let random = Random(seed);
        Self { plan, servers, world, seats, random, rules: Vec::new(), load }
    }

    /// Runs it to its verdict.
    pub(super) fn run(mut self, tally: &mut Tally) {
        let end = Instant::now() + Duration::from_secs(self.plan.seconds);
        let mut next = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            if Instant::now() >= next {
                self.provoke(tally);
                let gap = self.random.between(50, self.plan.gap_max_ms);
                // Now and then nothing happens for a while.
                let gap = if self.random.between(0, 8) == 0 { gap + 3000 } else { gap };
                next = Instant::now() + Duration::from_millis(gap);
            }
            self.turn(tally);
            std::thread::sleep(TURN);
        }
        let healed = Instant::now();
        self.heal(tally);
        self.drain(tally, healed);
        tally.drained_s.push(healed.elapsed().as_secs_f64());
        self.judge(tally);
    }

    fn turn(&mut self, tally: &mut Tally) {
        self.servers.turn();
        for seat in &mut self.seats {
            let before = seat.node.is_some();
            seat.turn(&self.world, tally);
            tally.processes += u64::from(!before && seat.node.is_some());
        }
    }

    fn provoke(&mut self, tally: &mut Tally) {
        let kinds = self.plan.kinds.len() as u64;
        let kind = self.plan.kinds[usize::try_from(self.random.between(0, kinds)).unwrap()];
        let seat = usize::try_from(self.random.between(0, self.seats.len() as u64)).unwrap();
        // What was held up on a connection that is gone arrives somewhere in later transactions.
        self.rules.iter().for_each(|(_, rule)| drop(rule.send_kept()));
        if self.rules.len() >= RULES_MAX {
            let (kind, rule) = self.rules.remove(0);
            rule.release();
            tally.hit(kind, rule.hits() as u64);
        }
        let is_active = self.seats[seat].is_active();
        if let Some(rule) = rule(kind, &self.seats[seat].proxy, &mut self.random) {
            tally.provoked(kind);
            self.rules.push((kind, rule));
        } else if kind == Kind::Join {
            tally.provoked(kind);
            self.come_or_go(seat, tally);
        } else if Kind::OF_SERVERS.contains(&kind) || is_active {
            tally.provoked(kind);
            tally.hit(kind, u64::from(self.strike(kind, seat)));
        }
    }

    /// Provokes a fault of a process or server; returns whether it met work under way.
    fn strike(&mut self, kind: Kind, at: usize) -> bool {
        let long = Duration::from_millis(self.random.between(200, 14_000));
        let short = Duration::from_millis(self.random.between(0, 2000));
        let point = self.random.between(0, CRASH_POINTS.len() as u64);
        let seat = &mut self.seats[at];
        let unflushed = |seat: &Seat| {
            seat.node.as_ref().is_some_and(|node| node.stores("unflushedRows").values().any(|rows| *rows > 0))
        };
        match kind {
            Kind::AllCut => seat.proxy.cut_all(),
            Kind::Silence => seat.silence(long),
            Kind::Pause => seat.pause(long),
            Kind::Kill => {
                let unflushed = unflushed(seat);
                seat.kill(short);
                return unflushed || self.is_open();
            }
            Kind::CrashPoint => {
                let (name, action, passes) = CRASH_POINTS[usize::try_from(point).unwrap()];
                let passes = self.random.between(0, passes);
                seat.failpoints = Some(format!("{name}={passes}*off->{action}"));
                seat.kill(short);
                // It hits when the next process reaches it.
                return false;
            }
            Kind::CleanRestart => seat.stop(),
            Kind::StateWiped => {
                seat.kill(short);
                drop(std::fs::remove_dir_all(self.world.state(&seat.name)));
            }
            Kind::StateDamaged => {
                seat.kill(short);
                return remove_current(&self.world, &seat.name);
            }
            _ => return self.servers.strike(kind, long),
        }
        true
    }

    fn come_or_go(&mut self, at: usize, tally: &mut Tally) {
        let others = self.seats.iter().filter(|seat| seat.wanted).count();
        let seat = &mut self.seats[at];
        if !seat.wanted {
            seat.wanted = true;
        } else if others > 1 && seat.is_active() {
            seat.wanted = false;
            seat.stop();
        } else {
            return;
        }
        tally.hit(Kind::Join, 1);
    }

    fn is_open(&self) -> bool {
        let topics = [self.world.changelog(), self.world.topic("account.events")];
        // A broker that has just been started may not answer.
        let is_open = |topic: &String| Ends::try_of(&self.world, topic).is_ok_and(|ends| ends.is_open());
        self.servers.is_up() && topics.iter().any(is_open)
    }

    fn heal(&mut self, tally: &mut Tally) {
        for (kind, rule) in self.rules.drain(..) {
            rule.release();
            drop(rule.send_kept());
            tally.hit(kind, rule.hits() as u64);
        }
        self.servers.heal();
        self.seats.iter_mut().for_each(Seat::heal);
        // A process that may have lost something runs once more, so that its store is compared.
        self.seats.iter_mut().for_each(|seat| seat.wanted = true);
    }

    /// Waits until the input and the sink are drained.
    fn drain(&mut self, tally: &mut Tally, healed: Instant) {
        let mut looked = Instant::now();
        let (mut loaded, mut look_for_lost) = (false, healed + OPERATOR_AFTER);
        loop {
            self.turn(tally);
            loaded = loaded || self.load.try_wait().is_ok_and(|ended| ended.is_some());
            if loaded && looked.elapsed() > Duration::from_millis(500) {
                looked = Instant::now();
                if self.is_drained() {
                    break;
                }
            }
            if Instant::now() > look_for_lost {
                look_for_lost = Instant::now() + OPERATOR_AFTER / 4;
                tally.lost_ends += end_lost(&self.world);
            }
            if healed.elapsed() > DRAIN_MAX {
                panic!("not drained within {DRAIN_MAX:?}:\n{}", self.states());
            }
            std::thread::sleep(TURN);
        }
        let status = self.load.wait().unwrap();
        let errors = std::fs::read(self.world.load_errors()).unwrap_or_default();
        assert!(status.success(), "the load ended with {status}: {}", String::from_utf8_lossy(&errors));
    }

    fn is_drained(&self) -> bool {
        let nodes = || self.seats.iter().filter_map(|seat| seat.node.as_ref());
        let ready = |node: &Node| node.get("/readyz").is_some_and(|(code, _)| code == 200);
        if nodes().count() < self.seats.len() || !nodes().all(ready) || group_lag(&self.world) > 0 {
            return false;
        }
        self.world.sink_offsets() >= output_ends(&self.world)
    }

    fn states(&self) -> String {
        let of = |seat: &Seat| {
            let Some(node) = &seat.node else { return format!("{}: no process\n", seat.name) };
            let tail: Vec<_> = node.log().lines().rev().take(8).map(str::to_owned).collect();
            let tail: String = tail.iter().rev().map(|line| format!("    {line}\n")).collect();
            let notes = node.status().map(|status| status["lastError"].clone());
            format!("{}: {:?}\n    notes {notes:?}\n{tail}", seat.name, node.get("/readyz?verbose"))
        };
        let lag = group_lag(&self.world);
        self.seats.iter().map(of).collect::<String>() + &format!("lag {lag}")
    }

    fn judge(&mut self, tally: &mut Tally) {
        for seat in &mut self.seats {
            let Some(node) = &mut seat.node else { continue };
            assert_eq!(node.stop().code(), Some(0), "{}: {}", seat.name, node.log());
            seat.node = None;
        }
        let names: Vec<&str> = self.seats.iter().map(|seat| seat.name.as_str()).collect();
        self.world.verify(&names);
        tally.rounds += 1;
        tally.cost.add(self.world.dir.path());
        for topic in ["order.events", "account.commands"] {
            tally.orders +=
                Ends::of(&self.world, &self.world.topic(topic)).high_watermark.iter().sum::<i64>();
        }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let _ = self.load.kill();
        let _ = self.load.wait();
    }
}

/// Deletes the file CURRENT of the first store in the state directory of `instance`; returns whether there was one.
fn remove_current(world: &World, instance: &str) -> bool {
    let app = world.state(instance).join(&world.app);
    let entries = std::fs::read_dir(app).into_iter().flatten().flatten();
    let mut files = entries.map(|entry| entry.path().join("db/CURRENT")).filter(|path| path.exists());
    files.next().is_some_and(|path| std::fs::remove_file(path).is_ok())
}
