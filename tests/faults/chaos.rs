//! Faults drawn at random, one after the other and several at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match, Rule};
use crate::rig::{PATIENCE, Rig};
use crate::support::{Node, Random, group_lag, keep_figure};

/// What can be told to be silent, late or cut.
const APIS: [ApiKey; 16] = [
    ApiKey::EndTxn,
    ApiKey::EndTxn,
    ApiKey::EndTxn,
    ApiKey::Produce,
    ApiKey::Produce,
    ApiKey::TxnOffsetCommit,
    ApiKey::AddOffsetsToTxn,
    ApiKey::AddPartitionsToTxn,
    ApiKey::InitProducerId,
    ApiKey::FindCoordinator,
    ApiKey::Heartbeat,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::Fetch,
    ApiKey::OffsetFetch,
    ApiKey::Metadata,
];

fn draw(rig: &Rig, random: &mut Random) -> Arc<Rule> {
    let api = APIS[usize::try_from(random.between(0, APIS.len() as u64)).unwrap()];
    let matching = if random.between(0, 2) == 0 { Match::requests(&[api]) } else { Match::replies(&[api]) };
    let matching = matching.every(usize::try_from(random.between(1, 6)).unwrap());
    let matching = matching.times(usize::try_from(random.between(1, 4)).unwrap());
    let fault = match random.between(0, 5) {
        0 => Fault::Swallow,
        1 => Fault::Cut,
        // Late, it would come from a process that is gone, after its successor's, who then is the stranger and ends.
        _ if api == ApiKey::JoinGroup => Fault::Swallow,
        2 => Fault::Delay(Duration::from_millis(random.between(50, 2500))),
        // Two of these late within one transaction timeout look like another process with the same instance id, and
        // the process ends; here it is to live.
        _ if api == ApiKey::InitProducerId => Fault::Swallow,
        // TCP delivers nothing twice: a late second copy exists only where the client repeated a request that was held
        // up. Of a Produce even any other copy must be harmless.
        3 if api == ApiKey::Produce => Fault::Copy,
        _ => Fault::KeepAndCut,
    };
    rig.proxy.rule(&format!("{api:?} {fault:?}"), matching, fault)
}

#[test]
fn random_faults_leave_everything_exact() {
    let from = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = from("MILLPOND_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ 0xfa17);
    let seconds = from("MILLPOND_TEST_CHAOS_S").unwrap_or(18);
    eprintln!("seed {seed}; repeat with MILLPOND_TEST_SEED={seed}");
    let mut random = Random(seed);
    let mut rig = Rig::start("chaos", &[]);
    let mut load = rig.load(seconds + 5, 600);
    let mut ends = 0;
    let begun = Instant::now();
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    let mut guest: Option<Node> = None;
    while begun.elapsed() < Duration::from_secs(seconds) {
        rules.push(draw(&rig, &mut random));
        std::thread::sleep(Duration::from_millis(random.between(200, 1500)));
        // What was held up on a connection that is gone arrives somewhere in later transactions.
        rules.iter().for_each(|rule| drop(rule.send_kept()));
        disturb(&mut rig, &mut guest, &mut random);
        if rules.len() > 3 {
            rules.remove(0).release();
        }
        ends += revive(&mut rig);
    }
    rules.iter().for_each(|rule| rule.release());
    // What is still on its way may end a process as well.
    let settled = Instant::now();
    while load.try_wait().is_ok_and(|ended| ended.is_none()) || group_lag(&rig.world) > 0 {
        assert!(settled.elapsed() < PATIENCE * 2, "not drained:\n{}", rig.node.log());
        ends += revive(&mut rig);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(rig.proxy.hits() >= 10, "void: {} faults hit", rig.proxy.hits());
    let line = format!("{} frames hit, {ends} processes ended by themselves, seed {seed}", rig.proxy.hits());
    keep_figure("chaos", &line);
    if let Some(guest) = &mut guest
        && guest.is_alive()
    {
        guest.stop();
    }
    rig.finish(load);
}

/// Starts a process again that ended by itself, as whoever runs it would: it may stop rather than guess, and librdkafka ends
/// it by an assertion now and then. Returns how many that were.
fn revive(rig: &mut Rig) -> usize {
    if rig.node.is_alive() {
        return 0;
    }
    eprintln!("ended by itself: {}", rig.node.log().trim_end().lines().last().unwrap_or_default());
    rig.node = rig.start_again(&[]);
    1
}

/// Now and then: cuts everything, crashes, silences everything, or has a second instance come and go.
fn disturb(rig: &mut Rig, guest: &mut Option<Node>, random: &mut Random) {
    match random.between(0, 16) {
        0 => rig.proxy.cut_all(),
        1 => {
            rig.node.kill();
            // A start that gets no answer says so and ends; whoever runs it starts it again.
            for _ in 0..5 {
                rig.node = rig.start_again(&[]);
                if rig.node.is_alive() {
                    break;
                }
            }
        }
        2 => {
            rig.proxy.freeze();
            std::thread::sleep(Duration::from_millis(random.between(500, 3000)));
            rig.proxy.thaw();
        }
        3 | 4 => match guest.take() {
            None => *guest = Some(rig.start_guest()),
            // Dropped = killed.
            Some(guest) => drop(guest),
        },
        _ => {}
    }
}
