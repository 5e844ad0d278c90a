//! What the leader tells a member.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ConsumerProtocolAssignment, TopicName, consumer_protocol_assignment::TopicPartition},
    protocol::{Encodable, StrBytes},
};

use crate::{
    codec::bytes::{Malformed, Reader, Writer},
    event::Producer,
    plan::{Plan, Tasks},
};

const VERSION: u8 = 1;
const ENVELOPE_VERSION: i16 = 1;

/// One member's share.
///
/// Envelope: Kafka's `ConsumerProtocolAssignment` v1, whose partitions are the source partitions of the
/// active tasks, so that `kafka-consumer-groups --describe` shows owners. User data, in the notation of
/// [`Subscription`](super::Subscription):
///
/// ```text
/// u8                    version, 1; any other is refused
/// [task]                active
/// [task]                standby
/// [task]                warm-up
/// [task]                to be given up: claimed by the member and not among its active tasks
/// [string i32 [string]] producers: instance or member id, last generation, transactional ids
/// [string]              why the member got no tasks; empty when nothing is wrong
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) active: Tasks,
    pub(crate) standby: Tasks,
    pub(crate) warmup: Tasks,
    pub(crate) release: Tasks,
    pub(crate) producers: Vec<Producer>,
    pub(crate) blocked: Vec<String>,
}

impl Assignment {
    #[expect(clippy::expect_used, reason = "topic names of a running application fit a Kafka string")]
    pub(crate) fn encode(&self, plan: &Plan) -> Bytes {
        let partitions = plan.partitions(&self.active).into_iter().map(|(topic, partitions)| {
            TopicPartition::default()
                .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
                .with_partitions(partitions.into_iter().collect())
        });
        let envelope = ConsumerProtocolAssignment::default()
            .with_assigned_partitions(partitions.collect())
            .with_user_data(Some(Bytes::from(self.user_data())));
        let mut out = BytesMut::new();
        out.put_i16(ENVELOPE_VERSION);
        envelope.encode(&mut out, ENVELOPE_VERSION).expect("an assignment of bounded names can be written");
        out.freeze()
    }

    /// Reads an assignment; no bytes at all are an empty one, as a leader gives to a member it does not know.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let what = "assignment";
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut envelope = Reader::new(bytes);
        if envelope.i16(what)? < 0 {
            return Err(Malformed(what));
        }
        for _ in 0..envelope.count(6, what)? {
            envelope.string(what)?;
            for _ in 0..envelope.count(4, what)? {
                envelope.i32(what)?;
            }
        }
        Self::read_user_data(Reader::new(envelope.bytes(what)?))
    }

    pub(crate) fn user_data(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.put([VERSION]);
        for tasks in [&self.active, &self.standby, &self.warmup, &self.release] {
            out.tasks(tasks);
        }
        out.count(self.producers.len());
        for producer in &self.producers {
            out.string(&producer.owner);
            out.put(producer.generation.to_be_bytes());
            out.strings(&producer.transactional_ids);
        }
        out.strings(&self.blocked);
        out.0
    }

    fn read_user_data(mut user: Reader<'_>) -> Result<Self, Malformed> {
        let what = "assignment user data";
        if user.u8(what)? != VERSION {
            return Err(Malformed("assignment user data version"));
        }
        let (active, standby) = (user.tasks(what)?, user.tasks(what)?);
        let (warmup, release) = (user.tasks(what)?, user.tasks(what)?);
        let mut producers = Vec::new();
        for _ in 0..user.count(10, what)? {
            let owner = user.string(what)?.to_owned();
            let generation = user.i32(what)?;
            producers.push(Producer { owner, generation, transactional_ids: user.strings(what)? });
        }
        let blocked = user.strings(what)?;
        user.end(what)?;
        Ok(Self { active, standby, warmup, release, producers, blocked })
    }
}
