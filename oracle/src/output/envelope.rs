//! The envelope of an output: everything that can be recomputed from the record itself.

use uuid::Uuid;

use super::payload;
use crate::event::Output;
use crate::json::{Node, parse};
use crate::murmur2::partition_of;
use crate::place::{Names, Place};
use crate::time::rfc3339_of_ms;

/// Fields of the envelope.
const FIELDS: [&str; 5] = ["eventType", "eventId", "occurredAt", "source", "payload"];

/// Who wrote the outputs.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    namespace: Uuid,
    names: Names,
}

impl Identity {
    /// Returns the identity of an application with these input topics.
    pub(crate) fn new(app: &str, names: Names) -> Identity {
        let namespace = Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("millpond.{app}").as_bytes());
        Identity { namespace, names }
    }

    /// Returns the id of the event that a record led to; there is at most one, with index 0.
    pub(crate) fn event_id(&self, source: Place) -> Uuid {
        let topic = self.names.topic(source.side);
        let name = format!("{topic}/{}/{}/0", source.partition, source.offset);
        Uuid::new_v5(&self.namespace, name.as_bytes())
    }
}

/// What of an output record is looked at.
pub(crate) struct OutputRecord<'a> {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Partitions of the output topic.
    pub(crate) partitions: i32,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) trace: Option<u64>,
}

/// Reads an output; the error says what is wrong with it.
pub(crate) fn read(record: &OutputRecord<'_>, identity: &Identity) -> Result<Output, String> {
    let value = record.value.ok_or("value is null")?;
    let document = parse(value).ok_or("value is not JSON")?;
    if document.has_duplicate_key || document.has_nul {
        return Err("value has a duplicate key or U+0000".to_owned());
    }
    let Node::Object(members) = &document.root else { return Err("value is no object".to_owned()) };
    if let Some((name, _)) = members.iter().find(|(name, _)| !FIELDS.contains(&name.as_ref())) {
        return Err(format!("{name} does not belong there"));
    }
    let field = |name: &str| document.root.get(name).ok_or_else(|| format!("{name} is absent"));
    let text = |name: &str| field(name)?.text().ok_or_else(|| format!("{name} is no string"));
    let (user, event) = payload::read(text("eventType")?, field("payload")?)?;
    let source = source(field("source")?, &identity.names)?;

    let expected_id = identity.event_id(source).to_string();
    if text("eventId")? != expected_id {
        return Err(format!("eventId {}, expected {expected_id}", text("eventId")?));
    }
    let timestamp_ms = occurred(text("occurredAt")?, record.timestamp_ms)?;
    if record.key != Some(user.to_string().as_bytes()) {
        return Err(format!("key is not the payload's userId {user}"));
    }
    let partition = partition_of(user.to_string().as_bytes(), record.partitions);
    if partition != record.partition {
        return Err(format!("user {user} belongs to partition {partition}"));
    }
    let OutputRecord { partition, offset, trace, .. } = *record;
    Ok(Output { partition, offset, timestamp_ms, source, user, trace, event })
}

/// Returns the timestamp that the output claims. librdkafka cannot write the record timestamp 0, so for that
/// one the text alone counts.
fn occurred(text: &str, timestamp_ms: i64) -> Result<i64, String> {
    let expected = rfc3339_of_ms(timestamp_ms);
    if text == expected {
        return Ok(timestamp_ms);
    }
    if text == rfc3339_of_ms(0) { Ok(0) } else { Err(format!("occurredAt {text}, expected {expected}")) }
}

fn source(node: &Node<'_>, names: &Names) -> Result<Place, String> {
    let Node::Object(members) = node else { return Err("source is no object".to_owned()) };
    if members.len() != 3 {
        return Err("source needs exactly topic, partition and offset".to_owned());
    }
    let topic = node.get("topic").and_then(Node::text).ok_or("source.topic is no string")?;
    let side = names.side(topic).ok_or_else(|| format!("source.topic {topic} is no input"))?;
    let partition = node.get("partition").and_then(Node::integer).and_then(|p| i32::try_from(p).ok());
    let partition = partition.filter(|p| *p >= 0).ok_or("source.partition is no partition")?;
    let offset = node.get("offset").and_then(Node::integer).filter(|offset| *offset >= 0);
    Ok(Place { side, partition, offset: offset.ok_or("source.offset is no offset")? })
}
