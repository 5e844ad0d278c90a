//! Serializers of the output topic.

use millpond_topology::Serializer;
use uuid::Uuid;

use super::event::Outgoing;
use super::json;
use crate::decimal::push_u64;
use crate::ids::UserId;

/// Writes a user id in decimal ASCII, as the keys of all topics of the ledger are.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserKey;

impl Serializer<UserId> for UserKey {
    fn serialize(&self, value: &UserId, out: &mut Vec<u8>) {
        push_u64(value.get(), out);
    }
}

/// Writes events of `account.events`. Their ids are made of the source position, so that the same input
/// always has the same output, byte for byte.
#[derive(Debug, Clone, Copy)]
pub struct AccountEventSerde {
    namespace: Uuid,
}

impl AccountEventSerde {
    /// Returns the serializer of the application `app`, whose id is the namespace of its event ids.
    #[must_use]
    pub fn new(app: &str) -> Self {
        Self { namespace: Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("millpond.{app}").as_bytes()) }
    }
}

impl<'a> Serializer<Outgoing<'a>> for AccountEventSerde {
    fn serialize(&self, value: &Outgoing<'a>, out: &mut Vec<u8>) {
        json::push(&self.namespace, value, out);
    }
}
