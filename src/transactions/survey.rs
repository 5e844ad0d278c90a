//! Which transactions are open, and what becomes of them.

use std::collections::BTreeSet;
use std::io;

use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use serde::Serialize;

use super::brokers::{at_rest, open, verifies, write_marker};
use super::decisions::{DECISIONS, decisions};
use super::noted::{Noted, Status};

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// What it wrote becomes visible.
    Commit,
    /// What it wrote is never seen.
    Abort,
}

/// What becomes of an open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Its coordinator ends it, at its timeout at the latest.
    Ongoing,
    /// Its coordinator had decided so and takes it for ended; this partition has no marker of it.
    Lost(End),
    /// No coordinator noted a decision about it, several transactions may be open with different ones, or the partition's leader
    /// takes records that no coordinator knows of.
    Unknown,
}

/// A transaction that is open in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First offset of the transaction.
    pub first_offset: i64,
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Its transactional id, if a coordinator noted it.
    pub transactional_id: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
    #[serde(skip)]
    pub(super) coordinator_epoch: i32,
    #[serde(skip)]
    pub(super) leader_id: i32,
    #[serde(skip)]
    pub(super) leader: String,
}

/// Why nothing can be said, or not ended.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// librdkafka failed.
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    /// A broker does not answer to what is asked directly.
    #[error("broker {broker} does not answer: {source}")]
    Silent {
        /// Its address, as advertised.
        broker: String,
        /// What failed.
        source: io::Error,
    },
    /// A broker refuses.
    #[error("{topic}-{partition}: the broker answers with error {code}")]
    Refused {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Kafka's error code.
        code: i16,
    },
    /// A topic is not there, or partitions of it have no leader: what is open in them cannot be known.
    #[error("{topic}: {what}")]
    Leaderless {
        /// Topic.
        topic: String,
        /// What is missing.
        what: String,
    },
    /// Its coordinator is at work for the same producer.
    #[error("{id}: its coordinator says {state}; nothing is written while it is at work for this producer")]
    Busy {
        /// Transactional id.
        id: String,
        /// What its coordinator says of it.
        state: String,
    },
    /// The coordinators' log is not readable to its end.
    #[error("partitions {0:?} of {DECISIONS} cannot be read to their ends")]
    Unread(BTreeSet<i32>),
    /// A record of the coordinators' log has a form that this version does not know.
    #[error("{DECISIONS} holds records of a version that is not known")]
    Form,
}

/// Returns the transactions that are open in `topics`, with what their coordinators decided. `client` reads uncommitted, tells
/// of partitions' ends, and is not used for anything else meanwhile. `keeps_order` says of a transactional id whether its
/// producers write nothing over an open transaction of the past (ADR 6), so that what is open is the last one.
///
/// # Errors
/// [`SurveyError`].
pub fn survey(
    client: &BaseConsumer,
    topics: &[&str],
    keeps_order: impl Fn(&str) -> bool,
) -> Result<Vec<Found>, SurveyError> {
    let before = open(client, topics)?;
    if before.is_empty() {
        return Ok(before);
    }
    let log = decisions(client, &before.iter().map(|found| found.producer_id).collect())?;
    // What is open now and was before the log was read was not just about to be ended.
    let mut still = open(client, topics)?;
    let key = |found: &Found| (found.topic.clone(), found.partition, found.producer_id, found.first_offset);
    let known: BTreeSet<_> = before.iter().map(key).collect();
    still.retain(|found| known.contains(&key(found)));
    let leaders: BTreeSet<_> = still.iter().map(|found| (found.leader_id, found.leader.clone())).collect();
    let mut unverified = BTreeSet::new();
    for (id, leader) in leaders {
        if !verifies(id, &leader)? {
            unverified.insert(id);
        }
    }
    for found in &mut still {
        let Some((id, noted)) = log.get(&found.producer_id) else { continue };
        found.transactional_id = Some(id.clone());
        let here = (found.topic.clone(), found.partition);
        let verdict = judge(noted, &here, found.producer_epoch, keeps_order(id));
        if verdict == Verdict::Ongoing || !unverified.contains(&found.leader_id) {
            found.verdict = verdict;
        }
    }
    Ok(still)
}

/// Says what becomes of the open transaction of a producer, by its `epoch`, in a partition, from all that its coordinator noted,
/// oldest first.
fn judge(noted: &[Noted], here: &(String, i32), epoch: i16, keeps_order: bool) -> Verdict {
    let lists = |noted: &&Noted| noted.partitions.contains(here);
    if noted.last().is_some_and(|last| lists(&last)) {
        return Verdict::Ongoing;
    }
    // A coordinator that aborts by itself takes the next epoch.
    let is_decision = |noted: &&Noted| match noted.status {
        Status::PrepareCommit => noted.producer_epoch == epoch,
        Status::PrepareAbort => [epoch, epoch.saturating_add(1)].contains(&noted.producer_epoch),
        _ => false,
    };
    let end = match noted.iter().rev().find(lists).filter(is_decision).map(|noted| noted.status) {
        Some(Status::PrepareCommit) => End::Commit,
        Some(Status::PrepareAbort) => End::Abort,
        _ => return Verdict::Unknown,
    };
    // Of a producer that writes over what is open, several transactions may be.
    let mut decisions = noted.iter().filter(lists).filter(is_decision);
    let is_other = |noted: &Noted| (noted.status == Status::PrepareCommit) != (end == End::Commit);
    if !keeps_order && decisions.any(is_other) { Verdict::Unknown } else { Verdict::Lost(end) }
}

/// Writes the marker that its coordinator owes to a partition, if its coordinator is at rest and the transaction still open.
/// Returns whether it was.
///
/// # Errors
/// [`SurveyError`].
pub fn end(client: &BaseConsumer, found: &Found, end: End) -> Result<bool, SurveyError> {
    at_rest(found)?;
    let same = |now: &Found| {
        (now.partition, now.producer_id, now.producer_epoch, now.first_offset)
            == (found.partition, found.producer_id, found.producer_epoch, found.first_offset)
    };
    if !open(client, &[&found.topic])?.iter().any(same) {
        return Ok(false);
    }
    write_marker(found, end)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(status: Status, epoch: i16, partitions: &[i32]) -> Noted {
        let partitions = partitions.iter().map(|partition| ("t".to_owned(), *partition)).collect();
        Noted { producer_id: 1, producer_epoch: epoch, status, partitions }
    }

    fn judged(log: &[&Noted], keeps_order: bool) -> Verdict {
        let log: Vec<_> = log.iter().map(|noted| (*noted).clone()).collect();
        judge(&log, &("t".to_owned(), 1), 3, keeps_order)
    }

    #[test]
    fn what_becomes_of_a_transaction_follows_from_the_last_record_that_lists_its_partition() {
        let over = step(Status::Other, 3, &[]);
        let (commit, abort) = (step(Status::PrepareCommit, 3, &[0, 1]), step(Status::PrepareAbort, 3, &[1]));
        let fencing = step(Status::PrepareAbort, 4, &[1]);
        let ongoing = step(Status::Ongoing, 3, &[0, 1]);
        let elsewhere = step(Status::Ongoing, 3, &[0]);
        for keeps_order in [false, true] {
            let judged = |log: &[&Noted]| judged(log, keeps_order);
            assert_eq!(judged(&[&ongoing, &commit, &over]), Verdict::Lost(End::Commit));
            assert_eq!(
                judged(&[&ongoing, &commit, &over, &ongoing, &commit, &over]),
                Verdict::Lost(End::Commit)
            );
            // Another transaction without the partition has begun since.
            assert_eq!(judged(&[&ongoing, &abort, &over, &elsewhere]), Verdict::Lost(End::Abort));
            assert_eq!(judged(&[&ongoing, &fencing, &over]), Verdict::Lost(End::Abort));
            assert_eq!(judged(&[&ongoing]), Verdict::Ongoing);
            assert_eq!(judged(&[&ongoing, &commit]), Verdict::Ongoing);
            // Its decision is missing: nobody may guess.
            assert_eq!(judged(&[&ongoing, &over]), Verdict::Unknown);
            assert_eq!(judged(&[&ongoing, &commit, &over, &ongoing, &over]), Verdict::Unknown);
            assert_eq!(judged(&[&over]), Verdict::Unknown);
            assert_eq!(judged(&[]), Verdict::Unknown);
            // What was decided for another epoch is another transaction.
            let older = step(Status::PrepareCommit, 2, &[1]);
            let newer = step(Status::PrepareCommit, 4, &[1]);
            assert_eq!(judged(&[&older, &over]), Verdict::Unknown);
            assert_eq!(judged(&[&newer, &over]), Verdict::Unknown);
        }
        // Either may be what is open, unless the producer wrote nothing over an open one.
        let both = [&ongoing, &commit, &over, &ongoing, &abort, &over];
        assert_eq!(judged(&both, false), Verdict::Unknown);
        assert_eq!(judged(&both, true), Verdict::Lost(End::Abort));
    }
}
