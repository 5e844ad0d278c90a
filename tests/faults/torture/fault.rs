//! The kinds of faults.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::proxy::{Fault, Match, Proxy, Rule};
use crate::support::Random;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    RequestSwallowed,
    ReplySwallowed,
    FrameDelayed,
    FrameCut,
    RequestLate,
    ProduceCopied,
    AllCut,
    Silence,
    Pause,
    Kill,
    CrashPoint,
    CleanRestart,
    Join,
    StateWiped,
    StateDamaged,
    BrokerKilled,
    BrokerPaused,
    DatabaseKilled,
}

impl Kind {
    /// Those of processes and connections.
    pub(super) const OF_PROCESSES: [Self; 15] = [
        Self::RequestSwallowed,
        Self::ReplySwallowed,
        Self::FrameDelayed,
        Self::FrameCut,
        Self::RequestLate,
        Self::ProduceCopied,
        Self::AllCut,
        Self::Silence,
        Self::Pause,
        Self::Kill,
        Self::CrashPoint,
        Self::CleanRestart,
        Self::Join,
        Self::StateWiped,
        Self::StateDamaged,
    ];
    /// Those of servers.
    pub(super) const OF_SERVERS: [Self; 3] = [Self::BrokerKilled, Self::BrokerPaused, Self::DatabaseKilled];

    /// Returns what it is, for the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RequestSwallowed => "request to Kafka swallowed",
            Self::ReplySwallowed => "reply of Kafka swallowed",
            Self::FrameDelayed => "request or reply delayed up to 2.5 s",
            Self::FrameCut => "connection cut at a request or reply",
            Self::RequestLate => "request kept, connection cut, sent later",
            Self::ProduceCopied => "Produce sent a second time, later",
            Self::AllCut => "all connections of a process cut",
            Self::Silence => "all connections of a process silent up to 14 s",
            Self::Pause => "SIGSTOP up to 14 s",
            Self::Kill => "SIGKILL",
            Self::CrashPoint => "crash at a step of transaction, store, restore or sink",
            Self::CleanRestart => "SIGTERM under load",
            Self::Join => "a process joins or leaves",
            Self::StateWiped => "state directory deleted after a crash",
            Self::StateDamaged => "CURRENT of a store deleted after a crash",
            Self::BrokerKilled => "broker: SIGKILL and restart",
            Self::BrokerPaused => "broker: SIGSTOP up to 8 s",
            Self::DatabaseKilled => "PostgreSQL: crash and restart",
        }
    }
}

/// What can be told to be silent, late or cut; the end of a transaction more often than others.
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

/// Puts a fault of frames to work in `proxy`.
pub(super) fn rule(kind: Kind, proxy: &Proxy, random: &mut Random) -> Option<Arc<Rule>> {
    let api = APIS[usize::try_from(random.between(0, APIS.len() as u64)).unwrap()];
    let either = random.between(0, 2) == 0;
    let (matching, fault) = match kind {
        Kind::RequestSwallowed => (Match::requests(&[api]), Fault::Swallow),
        Kind::ReplySwallowed => (Match::replies(&[api]), Fault::Swallow),
        Kind::FrameDelayed => {
            let delay = Fault::Delay(Duration::from_millis(random.between(50, 2500)));
            (if either { Match::requests(&[api]) } else { Match::replies(&[api]) }, delay)
        }
        Kind::FrameCut => (if either { Match::requests(&[api]) } else { Match::replies(&[api]) }, Fault::Cut),
        Kind::RequestLate => (Match::requests(&[api]), Fault::KeepAndCut),
        // TCP delivers nothing twice: a late second copy exists only where the client repeated a request that was held up.
        // Of a Produce even any other copy must be harmless.
        Kind::ProduceCopied => (Match::requests(&[ApiKey::Produce]), Fault::Copy),
        _ => return None,
    };
    let every = usize::try_from(random.between(1, 6)).unwrap();
    let times = usize::try_from(random.between(1, 5)).unwrap();
    Some(proxy.rule(&format!("{api:?} {fault:?}"), matching.every(every).times(times), fault))
}

/// Failpoints at which a process is to crash, and after how many passes at most.
pub(super) const CRASH_POINTS: [(&str, &str, u64); 10] = [
    ("txn::before_produce", "panic", 40),
    ("txn::after_produce", "panic", 40),
    ("txn::after_send_offsets", "panic", 40),
    ("txn::end_txn_sent", "return", 40),
    ("txn::after_commit_reply", "panic", 40),
    ("state::before_write_batch", "panic", 40),
    ("state::after_write_batch", "panic", 40),
    ("state::in_restore", "panic", 2),
    ("sink::before_commit", "panic", 10),
    ("sink::after_commit", "panic", 10),
];
