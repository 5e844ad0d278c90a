//! The thread that compares where the sink stands with what Kafka has (lag, topics re-created), and
//! that publishes group offsets for dashboards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::backoff::Backoff;
use super::batch::Partition;
use super::failure::Failure;
use super::shared::{PanicGuard, Shared};
use super::topic_ids::TopicId;

/// Time between two rounds; also the precision of the lag.
const ROUND: Duration = Duration::from_secs(1);
/// Time between two comparisons of topic ids.
const TOPIC_IDS_EVERY: Duration = Duration::from_secs(10);
/// How long one question to a broker may take.
pub(super) const QUESTION: Duration = Duration::from_secs(2);
/// Under this name the watcher's trouble is shown.
const WHO: &str = "kafka";

/// Starts the thread.
///
/// # Errors
/// [`std::io::Error`] when the system has no thread left.
pub(super) fn spawn(shared: Arc<Shared>) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("sink-watch".to_owned()).spawn(move || {
        let _guard = PanicGuard(Arc::clone(&shared), "watch thread");
        let mut published = BTreeMap::new();
        let mut backoff = Backoff::default();
        let mut ids_checked = Instant::now();
        while shared.is_served() {
            thread::park_timeout(ROUND);
            let positions = shared.positions();
            publish(&shared, &positions, &mut published, CommitMode::Async);
            let mut round = positions.iter().try_for_each(|(partition, ..)| ask(&shared, partition));
            if round.is_ok() && ids_checked.elapsed() >= TOPIC_IDS_EVERY {
                ids_checked = Instant::now();
                round = compare_ids(&shared, &positions);
            }
            match round {
                Ok(()) if backoff.attempts() > 0 => {
                    backoff.reset();
                    shared.relieve(WHO);
                }
                Ok(()) => {}
                Err(error) => {
                    let pause = backoff.pause();
                    shared.trouble(WHO, backoff.attempts(), &error);
                    thread::park_timeout(pause);
                }
            }
        }
        // A last word about where it stands; dashboards only, so its failure is of no consequence.
        publish(&shared, &shared.positions(), &mut published, CommitMode::Sync);
    })
}

/// Asks where a partition ends. Its log start says nothing here: what it has passed may be in an inbox. If
/// records are really lost, the reader is told so.
fn ask(shared: &Shared, partition: &Arc<Partition>) -> Result<(), String> {
    let ends = shared.consumer.fetch_watermarks(&partition.topic, partition.number, QUESTION);
    let (_, end) = ends.map_err(|error| format!("{partition}: watermarks: {error}"))?;
    shared.ends_at(partition, end);
    Ok(())
}

fn compare_ids(shared: &Shared, positions: &[(Arc<Partition>, TopicId, i64)]) -> Result<(), String> {
    for (partition, known, next_offset) in positions {
        if topic_id(shared, partition)? != *known
            && let Some(failure) = diagnose(shared, partition, *next_offset)?
        {
            shared.fail(failure);
        }
    }
    Ok(())
}

fn topic_id(shared: &Shared, partition: &Partition) -> Result<TopicId, String> {
    let topic = partition.topic.as_str();
    let ids = shared.settings.topic_ids.topic_ids(&[topic]).map_err(|error| error.to_string())?;
    ids.get(topic).copied().ok_or_else(|| format!("no id for topic {topic}"))
}

/// What the cluster knows about a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) topic_id: TopicId,
    pub(super) log_start: i64,
    /// Last stable offset.
    pub(super) end: i64,
}

/// Asks for everything that is to be known before a partition is read. Blocking.
///
/// Also warms the client: a first fetch of a topic whose leader it does not know waits a second.
pub(super) fn facts(shared: &Shared, partition: &Partition) -> Result<Facts, String> {
    let topic = partition.topic.as_str();
    let describe = |error| format!("{partition}: {error}");
    let metadata = shared.consumer.fetch_metadata(Some(topic), QUESTION).map_err(describe)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.map_or(0, |found| found.partitions().len());
    if !usize::try_from(partition.number).is_ok_and(|number| number < partitions) {
        return Err(format!("{partition} does not exist: the topic has {partitions} partitions"));
    }
    let topic_id = topic_id(shared, partition)?;
    let (log_start, end) =
        shared.consumer.fetch_watermarks(topic, partition.number, QUESTION).map_err(describe)?;
    Ok(Facts { topic_id, log_start, end })
}

/// Says why records from `next_offset` on cannot be read, if there is a reason; `Err` when Kafka does not
/// answer. Blocking.
pub(super) fn diagnose(
    shared: &Shared,
    partition: &Partition,
    next_offset: i64,
) -> Result<Option<Failure>, String> {
    let facts = facts(shared, partition)?;
    let (topic, number) = (partition.topic.clone(), partition.number);
    Ok(match shared.topic_id(partition) {
        Some(stored) if stored != facts.topic_id => Some(Failure::TopicRecreated {
            topic,
            partition: number,
            next_offset,
            stored,
            actual: facts.topic_id,
        }),
        _ if next_offset < facts.log_start => {
            let log_start = facts.log_start;
            Some(Failure::RecordsLost { topic, partition: number, next_offset, log_start })
        }
        _ if next_offset > facts.end => {
            Some(Failure::BeyondEnd { topic, partition: number, next_offset, end: facts.end })
        }
        _ => None,
    })
}

/// Commits the positions that changed to the consumer group that has the sink's name.
fn publish(
    shared: &Shared,
    positions: &[(Arc<Partition>, TopicId, i64)],
    published: &mut BTreeMap<Arc<Partition>, i64>,
    mode: CommitMode,
) {
    let mut list = TopicPartitionList::new();
    for (partition, _, next) in positions {
        if published.insert(Arc::clone(partition), *next) != Some(*next) {
            let offset = Offset::Offset(*next);
            if let Err(error) = list.add_partition_offset(&partition.topic, partition.number, offset) {
                shared.note(format!("{partition}: group offset {next}: {error}"));
            }
        }
    }
    if list.count() > 0
        && let Err(error) = shared.consumer.commit(&list, mode)
    {
        shared.note(format!("group offsets of {}: {error}", shared.sink_name));
    }
}
