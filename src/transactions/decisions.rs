//! The coordinators' log, read to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::noted::{Noted, noted, transactional_id};
use super::survey::SurveyError;

/// Where coordinators note what they decide.
pub(super) const DECISIONS: &str = "__transaction_state";
/// Longest wait for metadata.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time in which no partition of the coordinators' log that is not read yet gets longer or ends.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Reads all that the coordinators noted of `producers`, by producer id: its transactional id, and its records, oldest first.
pub(super) fn decisions(
    client: &BaseConsumer,
    producers: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, (String, Vec<Noted>)>, SurveyError> {
    let metadata = client.fetch_metadata(Some(DECISIONS), ANSWER_TIMEOUT)?;
    let mut from = TopicPartitionList::new();
    // Up to where each partition is read at least: a replica that has just become the leader may not know its end at once.
    let mut left = BTreeMap::new();
    for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
        let (_, end) = client.fetch_watermarks(DECISIONS, partition.id(), ANSWER_TIMEOUT)?;
        from.add_partition_offset(DECISIONS, partition.id(), Offset::Beginning)?;
        left.insert(partition.id(), end);
    }
    client.assign(&from)?;
    let (mut heard, mut log) = (Instant::now(), BTreeMap::<_, (String, Vec<_>)>::new());
    while !left.is_empty() {
        match client.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                if left.contains_key(&record.partition()) {
                    heard = Instant::now();
                }
                let Some(id) = record.key().and_then(transactional_id) else { continue };
                // A transactional id that expired has no value any more.
                let Some(value) = record.payload() else { continue };
                let noted = noted(value).ok_or(SurveyError::Form)?;
                if producers.contains(&noted.producer_id) {
                    log.entry(noted.producer_id).or_insert_with(|| (id, Vec::new())).1.push(noted);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let at = client.position()?;
                let at = at.find_partition(DECISIONS, partition).and_then(|at| at.offset().to_raw());
                if left.get(&partition).is_some_and(|end| *end == 0 || at.is_some_and(|at| at >= *end)) {
                    heard = Instant::now();
                    left.remove(&partition);
                }
            }
            Some(Err(error)) => tracing::warn!(%error, "{DECISIONS}"),
            None => {}
        }
        if heard.elapsed() > SILENCE_MAX {
            client.unassign()?;
            return Err(SurveyError::Unread(left.into_keys().collect()));
        }
    }
    client.unassign()?;
    Ok(log)
}
