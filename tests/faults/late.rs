//! Requests that arrive late, in a transaction that they do not belong to (KAFKA-17754).
//!
//! librdkafka speaks transaction protocol v1, which does not number transactions: what was held up on one connection and
//! repeated on another still arrives. Rule R3 replaces the producer before its next transaction, so that it arrives under an
//! old epoch.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::{
    ApiKey, EndTxnResponse, InitProducerIdResponse, ProduceResponse, ResponseHeader, TxnOffsetCommitResponse,
    produce_response,
};
use kafka_protocol::protocol::{Decodable as _, HeaderVersion as _};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::proxy::{Fault, Match, Proxy, Request, Rule};
use crate::rig::{PATIENCE, Rig, failed_checks, finish_load};
use crate::support::{Ends, World, wait_until};

/// INVALID_PRODUCER_EPOCH and PRODUCER_FENCED.
const FENCED: [i16; 2] = [47, 90];

/// Reads the error code of a reply to EndTxn.
fn end_txn_code(reply: &[u8], version: i16) -> i16 {
    let mut reply = reply;
    ResponseHeader::decode(&mut reply, EndTxnResponse::header_version(version)).unwrap();
    EndTxnResponse::decode(&mut reply, version).unwrap().error_code
}

/// Reads the first error code of a reply to TxnOffsetCommit.
fn offsets_code(reply: &[u8], version: i16) -> i16 {
    let mut reply = reply;
    ResponseHeader::decode(&mut reply, TxnOffsetCommitResponse::header_version(version)).unwrap();
    let body = TxnOffsetCommitResponse::decode(&mut reply, version).unwrap();
    body.topics[0].partitions[0].error_code
}

/// Reads the error code of a reply to InitProducerId.
fn init_code(reply: &[u8], version: i16) -> i16 {
    let mut reply = reply;
    ResponseHeader::decode(&mut reply, InitProducerIdResponse::header_version(version)).unwrap();
    InitProducerIdResponse::decode(&mut reply, version).unwrap().error_code
}

/// Reads the first partition's answer of a reply to Produce.
fn produced(reply: &[u8], version: i16) -> produce_response::PartitionProduceResponse {
    let mut reply = reply;
    ResponseHeader::decode(&mut reply, ProduceResponse::header_version(version)).unwrap();
    let body = ProduceResponse::decode(&mut reply, version).unwrap();
    body.responses[0].partition_responses[0].clone()
}

/// Holds a commit up, lets its repetition win and the next transaction write, then lets it arrive and crashes the process.
/// Returns what the broker said to the late commit.
fn delayed_commit(rig: &mut Rig) -> i16 {
    let wanted = Match::requests(&[ApiKey::EndTxn]).when(Request::commits).times(1);
    let late = rig.proxy.rule("EndTxn held up", wanted, Fault::KeepAndCut);
    late.wait_hits(1, PATIENCE);
    // Its own AddOffsetsToTxn is long through: the next one is the next transaction's, whose outputs are written by then.
    let next =
        rig.proxy.rule("next AddOffsetsToTxn", Match::requests(&[ApiKey::AddOffsetsToTxn]), Fault::Hold);
    next.wait_hits(1, PATIENCE);
    let sent = late.send_kept();
    let (reply, version) = sent.first().and_then(Option::as_ref).unwrap();
    let code = end_txn_code(reply, *version);
    // The next transaction never commits.
    rig.node.kill();
    next.release();
    code
}

#[test]
fn a_delayed_commit_finds_its_producer_replaced_and_tears_nothing() {
    let one = [("MILLPOND_THREADS", "1")];
    let mut rig = Rig::start("late-commit", &one);
    let load = rig.load(10, 800);
    for round in 1..=3 {
        let code = delayed_commit(&mut rig);
        eprintln!("round {round}: the late commit was answered with {code}");
        assert!(FENCED.contains(&code), "round {round}: answered with {code}, not refused");
        rig.restart(&one);
    }
    rig.finish(load);
}

#[test]
fn control_without_replacement_a_delayed_commit_tears_a_transaction() {
    let mut rig = Rig::start(
        "no-replacement",
        &[("MILLPOND_THREADS", "1"), ("MILLPOND_MUTANT", "no-replacement+committed-unchecked")],
    );
    let load = rig.load(5, 800);
    let code = delayed_commit(&mut rig);
    assert_eq!(code, 0, "void: the late commit was refused");
    finish_load(load);
    // Half of the transaction is there, without its offsets.
    refused_by_oracle_and_restart(&rig, "no-replacement, late commit");
}

fn refused_by_oracle_and_restart(rig: &Rig, what: &str) {
    let (code, text) = rig.judge();
    assert_eq!(code, Some(3), "the oracle did not notice:\n{text}");
    eprintln!("{what}: noticed by {}", failed_checks(&text));
    let mut again = rig.start_again(&[]);
    assert!(!again.wait_end(PATIENCE).success());
    assert!(again.log().contains("was moved from outside"), "{}", again.log());
}

#[test]
fn a_produce_held_up_beyond_the_abort_of_its_transaction_is_refused() {
    let one = [("MILLPOND_THREADS", "1")];
    let rig = Rig::start("late-produce", &one);
    let load = rig.load(9, 800);
    let late =
        rig.proxy.rule("Produce held up", Match::requests(&[ApiKey::Produce]).times(1), Fault::KeepAndCut);
    // Its repetitions do not arrive either, until the transaction is given up.
    let repeated = rig.proxy.rule("Produce swallowed", Match::requests(&[ApiKey::Produce]), Fault::Swallow);
    let abort = Match::requests(&[ApiKey::InitProducerId]).times(1);
    let abort = rig.proxy.rule("next producer", abort, Fault::Delay(Duration::ZERO));
    abort.wait_hits(1, PATIENCE);
    repeated.off();
    repeated.must_have_hit();
    let next =
        rig.proxy.rule("next AddOffsetsToTxn", Match::requests(&[ApiKey::AddOffsetsToTxn]), Fault::Hold);
    next.wait_hits(1, PATIENCE);
    let sent = late.send_kept();
    let (reply, version) = sent.first().and_then(Option::as_ref).unwrap();
    let answer = produced(reply, *version);
    eprintln!("the late Produce was answered with {}", answer.error_code);
    assert!(FENCED.contains(&answer.error_code), "answered with {}", answer.error_code);
    next.release();
    rig.finish(load);
}

/// Holds an offset commit up, lets its repetition win, and lets it arrive when the next transaction's offsets are in; the
/// process crashes as soon as that one is committed. Returns what the broker said to the late one.
fn delayed_offsets(rig: &mut Rig) -> i16 {
    let wanted = Match::requests(&[ApiKey::TxnOffsetCommit]).times(1);
    let late = rig.proxy.rule("TxnOffsetCommit held up", wanted, Fault::KeepAndCut);
    late.wait_hits(1, PATIENCE);
    // The commit that follows is its own transaction's, the one after that the next's.
    let commit = Match::requests(&[ApiKey::EndTxn]).when(Request::commits).skip(1).times(1);
    let commit = rig.proxy.rule("next EndTxn", commit, Fault::Hold);
    commit.wait_hits(1, PATIENCE);
    let sent = late.send_kept();
    let (reply, version) = sent.first().and_then(Option::as_ref).unwrap();
    let code = offsets_code(reply, *version);
    let after = Match::requests(&[ApiKey::AddOffsetsToTxn]);
    let after = rig.proxy.rule("AddOffsetsToTxn after it", after, Fault::Hold);
    commit.release();
    after.wait_hits(1, PATIENCE);
    rig.node.kill();
    after.release();
    code
}

#[test]
fn delayed_offsets_find_their_producer_replaced_and_move_nothing_back() {
    let one = [("MILLPOND_THREADS", "1")];
    let mut rig = Rig::start("late-offsets", &one);
    let load = rig.load(9, 800);
    for round in 1..=2 {
        let code = delayed_offsets(&mut rig);
        eprintln!("round {round}: the late offsets were answered with {code}");
        assert!(FENCED.contains(&code), "round {round}: answered with {code}, not refused");
        rig.restart(&one);
    }
    rig.finish(load);
}

#[test]
fn control_without_replacement_delayed_offsets_move_the_committed_ones_back() {
    let wrong = [("MILLPOND_THREADS", "1"), ("MILLPOND_MUTANT", "no-replacement+committed-unchecked")];
    let mut rig = Rig::start("late-offsets", &wrong);
    let load = rig.load(5, 800);
    let code = delayed_offsets(&mut rig);
    assert_eq!(code, 0, "void: the late offsets were refused");
    finish_load(load);
    refused_by_oracle_and_restart(&rig, "no-replacement, late offsets");
}

#[test]
fn a_late_start_of_a_producer_fences_its_successor_and_is_survived() {
    let rig = Rig::start("late-init", &[("MILLPOND_THREADS", "1")]);
    let load = rig.load(9, 800);
    let late = Match::requests(&[ApiKey::InitProducerId]).times(1);
    let late = rig.proxy.rule("InitProducerId held up", late, Fault::KeepAndCut);
    let lost = Match::requests(&[ApiKey::EndTxn]).times(1);
    let lost = rig.proxy.rule("EndTxn swallowed", lost, Fault::Swallow);
    lost.wait_hits(1, PATIENCE);
    late.wait_hits(1, PATIENCE);
    let before = rig.node.committed();
    wait_until("the new producer works", PATIENCE, || rig.node.committed() > before + 300);
    // While a transaction is open, so that it is the one that ends.
    let open = Match::requests(&[ApiKey::AddOffsetsToTxn]);
    let open = rig.proxy.rule("AddOffsetsToTxn of an open transaction", open, Fault::Hold);
    open.wait_hits(1, PATIENCE);
    let sent = late.send_kept();
    open.release();
    let (reply, version) = sent.first().and_then(Option::as_ref).unwrap();
    let code = init_code(reply, *version);
    eprintln!("the late InitProducerId was answered with {code}");
    // CONCURRENT_TRANSACTIONS: it is ending the transaction that was open.
    assert_eq!(code, 51, "void: answered with {code}");
    wait_until("it is noticed", PATIENCE, || rig.node.log().contains("\"class\":\"Fenced\""));
    rig.finish(load);
}

/// A transactional producer behind a proxy, and nothing else.
struct Bare {
    world: World,
    proxy: Proxy,
    topic: String,
    producer: BaseProducer,
}

impl Bare {
    fn new() -> Self {
        let world = World::new("late");
        let proxy = Proxy::start(&world.brokers);
        let topic = world.topic("order.events");
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", proxy.brokers())
            .set("transactional.id", &topic)
            .set("linger.ms", "0");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        Self { world, proxy, topic, producer }
    }

    fn write(&self, text: &str) {
        self.producer.send(BaseRecord::to(&self.topic).partition(0).key("k").payload(text)).unwrap();
        self.producer.flush(PATIENCE).unwrap();
    }

    fn copy(&self) -> Arc<Rule> {
        self.proxy.rule("Produce copied", Match::requests(&[ApiKey::Produce]).times(1), Fault::Copy)
    }

    fn ends(&self) -> (i64, i64) {
        let ends = Ends::of(&self.world, &self.topic);
        (ends.last_stable[0], ends.high_watermark[0])
    }
}

#[test]
fn a_late_copy_of_a_produce_is_known_by_its_sequence_number() {
    // The broker knows the last five batches of a producer; an older one is refused.
    for (aborted, between) in [(false, 1), (true, 1), (false, 7), (true, 7)] {
        let bare = Bare::new();
        let copy = bare.copy();
        bare.producer.begin_transaction().unwrap();
        bare.write("first");
        copy.must_have_hit();
        if aborted {
            bare.producer.abort_transaction(PATIENCE).unwrap();
        } else {
            bare.producer.commit_transaction(PATIENCE).unwrap();
        }
        bare.producer.begin_transaction().unwrap();
        (0..between).for_each(|_| bare.write("second"));
        let before = bare.ends();
        let sent = copy.send_kept();
        let (reply, version) = sent.first().and_then(Option::as_ref).unwrap();
        let answer = produced(reply, *version);
        eprintln!(
            "aborted {aborted}, {between} batches on: a late copy was answered with {}, offset {}",
            answer.error_code, answer.base_offset
        );
        // Known, with its old offset, or refused: nothing is written either way.
        assert_eq!(answer.error_code == 0, between < 5, "{answer:?}");
        assert_eq!(bare.ends(), before, "the late copy was written");
        bare.producer.commit_transaction(PATIENCE).unwrap();
    }
}
