//! What a member tells the leader when it joins.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ConsumerProtocolSubscription, TopicName, consumer_protocol_subscription::TopicPartition},
    protocol::{Encodable, StrBytes},
};
use millpond_topology::TaskId;

use crate::{
    codec::bytes::{Malformed, Reader, Writer},
    plan::Plan,
    report::Lag,
    role::Roles,
    settings::Identity,
};

const VERSION: u8 = 1;
/// Of Kafka's own envelope; 1 is the first with owned partitions and is read by every tool.
const ENVELOPE_VERSION: i16 = 1;

/// A member's claims and abilities.
///
/// Envelope: Kafka's `ConsumerProtocolSubscription` v1 (source topics, user data, owned partitions). User
/// data, big-endian; `string`: i16 length and UTF-8; `[x]`: i32 count and elements; `bytes`: i32 length and
/// bytes; `task`: u32 sub-topology, u32 partition:
///
/// ```text
/// u8      version, 1; any other is refused
/// u8      roles: bit 0 processor, bit 1 sink; others are ignored
/// u16     stream threads
/// string  static instance id, empty for a dynamic member
/// string  host:port of its query endpoint, empty for none
/// bytes   topology hash
/// [string]                   transactional ids
/// [task i32]                 owned tasks, each with the last generation whose target granted it
/// [task i64 i64]             lags: task, changelog position, changelog end
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) instance: Option<String>,
    pub(crate) identity: Identity,
    pub(crate) owned: BTreeMap<TaskId, i32>,
    pub(crate) lag: BTreeMap<TaskId, Lag>,
}

impl Subscription {
    #[expect(clippy::expect_used, reason = "topic names of a running application fit a Kafka string")]
    pub(crate) fn encode(&self, plan: &Plan) -> Bytes {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let owned = plan.partitions(self.owned.keys()).into_iter().map(|(topic, partitions)| {
            TopicPartition::default()
                .with_topic(TopicName(text(topic)))
                .with_partitions(partitions.into_iter().collect())
        });
        let envelope = ConsumerProtocolSubscription::default()
            .with_topics(plan.topics().into_iter().map(text).collect())
            .with_user_data(Some(Bytes::from(self.user_data())))
            .with_owned_partitions(owned.collect());
        let mut out = BytesMut::new();
        out.put_i16(ENVELOPE_VERSION);
        envelope.encode(&mut out, ENVELOPE_VERSION).expect("a subscription of bounded names can be written");
        out.freeze()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let what = "subscription";
        let mut envelope = Reader::new(bytes);
        if envelope.i16(what)? < 0 {
            return Err(Malformed(what));
        }
        envelope.strings(what)?;
        // What follows belongs to the version; the user data is complete.
        Self::read_user_data(Reader::new(envelope.bytes(what)?))
    }

    pub(crate) fn user_data(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.put([VERSION, self.identity.roles.bits()]);
        out.put(self.identity.threads.to_be_bytes());
        out.string(self.instance.as_deref().unwrap_or_default());
        out.string(self.identity.endpoint.as_deref().unwrap_or_default());
        out.bytes(&self.identity.topology);
        out.strings(&self.identity.transactional_ids);
        out.count(self.owned.len());
        for (task, generation) in &self.owned {
            out.task(*task);
            out.put(generation.to_be_bytes());
        }
        out.count(self.lag.len());
        for (task, lag) in &self.lag {
            out.task(*task);
            out.put(lag.position.to_be_bytes());
            out.put(lag.end.to_be_bytes());
        }
        out.0
    }

    fn read_user_data(mut user: Reader<'_>) -> Result<Self, Malformed> {
        let what = "subscription user data";
        if user.u8(what)? != VERSION {
            return Err(Malformed("subscription user data version"));
        }
        let roles = Roles::from_bits(user.u8(what)?);
        let threads = user.u16(what)?;
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let instance = named(user.string(what)?);
        let endpoint = named(user.string(what)?);
        let topology = user.bytes(what)?.to_vec();
        let transactional_ids = user.strings(what)?;
        let mut owned = BTreeMap::new();
        for _ in 0..user.count(12, what)? {
            owned.insert(user.task(what)?, user.i32(what)?);
        }
        let mut lag = BTreeMap::new();
        for _ in 0..user.count(24, what)? {
            let task = user.task(what)?;
            lag.insert(task, Lag { position: user.i64(what)?, end: user.i64(what)? });
        }
        user.end(what)?;
        let identity = Identity { roles, threads, endpoint, transactional_ids, topology };
        Ok(Self { instance, identity, owned, lag })
    }
}
