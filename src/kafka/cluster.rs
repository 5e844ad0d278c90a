//! Queries of the cluster: topic ids, partition counts, ends of partitions, committed offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client_config::ClientConfig;
use super::errors::leads_elsewhere;
use super::events::{Noticed, drain};
use super::ffi::{
    CallError, EARLIEST, Handle, Isolation, Kind, LATEST, Position, Queue, TopicDescription, code,
};

/// What a topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicFacts {
    /// Topic id.
    pub id: [u8; 16],
    /// Number of partitions.
    pub partitions: u32,
}

/// Where a partition begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionEnds {
    /// First offset.
    pub log_start: i64,
    /// End of what read_committed consumers may see (LSO).
    pub last_stable: i64,
    /// End, open transactions included.
    pub high_watermark: i64,
}

/// A client for queries. Reads with read_committed, under the application's group, and never commits.
#[derive(Debug)]
pub struct Cluster {
    main: Queue,
    handle: Arc<Handle>,
    timeout: Duration,
}

/// How long `committed` waits between two looks at an unstable offset, and librdkafka before it repeats that question by
/// itself (then longer and longer). By its default of 100 ms a commit would wait that long for the marker of the one before,
/// which takes a few milliseconds.
const UNSTABLE_WAIT: Duration = Duration::from_millis(5);

/// What an answer about committed offsets may take in any case.
const ANSWER_MIN: Duration = Duration::from_secs(1);

/// Longest wait for the metadata of one topic.
const REFRESH_MAX: Duration = Duration::from_secs(2);

impl Cluster {
    /// Creates the client; `config` is a consumer's.
    ///
    /// # Errors
    /// A configuration key that librdkafka refuses.
    pub fn new(config: &ClientConfig, timeout: Duration) -> Result<Self, CallError> {
        let mut config = config.clone();
        config
            .set("retry.backoff.ms", UNSTABLE_WAIT.as_millis().to_string())
            // librdkafka's default; it would follow the one above.
            .set("topic.metadata.refresh.fast.interval.ms", "100");
        let handle = Handle::new(Kind::Consumer, config.iter())?;
        let main = Queue::main(&handle)?;
        Ok(Self { main, handle, timeout })
    }

    /// Serves log lines; call now and then.
    pub fn serve(&self) {
        drain(&self.main, &mut Noticed::default());
    }

    /// Returns what `topics` are; a missing one is not in the answer.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn topics(&self, topics: &[&str]) -> Result<BTreeMap<String, TopicFacts>, CallError> {
        let found = self.handle.describe_topics(topics, self.timeout)?;
        let fact =
            |topic: TopicDescription| (topic.name, TopicFacts { id: topic.id, partitions: topic.partitions });
        Ok(found.into_iter().map(fact).collect())
    }

    /// Asks the leaders, by what is known of them; when that is old, once more by what is true now.
    ///
    /// librdkafka asks whoever it last heard of, and after a refusal or a silence it asks the same broker again until its
    /// metadata expires: a quarter of an hour.
    fn offsets(
        &self,
        partitions: &[(&str, u32)],
        offset: i64,
        isolation: Isolation,
    ) -> Result<Vec<i64>, CallError> {
        let first = self.offsets_as_known(partitions, offset, isolation);
        let Err(error) = &first else { return first };
        let topics: BTreeSet<&str> = partitions.iter().map(|(topic, _)| *topic).collect();
        self.refresh(topics);
        if leads_elsewhere(error.code) { self.offsets_as_known(partitions, offset, isolation) } else { first }
    }

    /// Learns anew who leads the partitions of `topics`; what cannot be learned stays as it is.
    pub fn refresh<'a>(&self, topics: impl IntoIterator<Item = &'a str>) {
        for topic in topics {
            if let Err(error) = self.handle.partition_count(topic, self.timeout.min(REFRESH_MAX)) {
                tracing::debug!(%error, "metadata cannot be refreshed");
            }
        }
    }

    fn offsets_as_known(
        &self,
        partitions: &[(&str, u32)],
        offset: i64,
        isolation: Isolation,
    ) -> Result<Vec<i64>, CallError> {
        let ask: Vec<_> =
            partitions.iter().map(|(topic, part)| Position::new(topic, *part, offset)).collect();
        let found = self.handle.list_offsets(&ask, isolation, self.timeout)?;
        let one = |(topic, partition): &(&str, u32)| {
            let position = found.iter().find(|found| found.topic == *topic && found.partition == *partition);
            match position {
                Some(position) if position.err == 0 && position.offset >= 0 => Ok(position.offset),
                // librdkafka answers so, without an error, for a leader that it could not ask.
                Some(position) if position.err == 0 => {
                    Err(CallError::plain(code::TIMED_OUT, format!("end of {topic}-{partition}: no answer")))
                }
                Some(position) => Err(CallError::plain(position.err, format!("end of {topic}-{partition}"))),
                None => Err(CallError::plain(code::TIMED_OUT, format!("end of {topic}-{partition}"))),
            }
        };
        partitions.iter().map(one).collect()
    }

    /// Returns the last stable offsets of `partitions`, in their order.
    ///
    /// # Errors
    /// When a leader does not answer in time.
    pub fn last_stable(&self, partitions: &[(&str, u32)]) -> Result<Vec<i64>, CallError> {
        self.offsets(partitions, LATEST, Isolation::ReadCommitted)
    }

    /// Returns the high watermarks of `partitions`, in their order.
    ///
    /// # Errors
    /// When a leader does not answer in time.
    pub fn high_watermarks(&self, partitions: &[(&str, u32)]) -> Result<Vec<i64>, CallError> {
        self.offsets(partitions, LATEST, Isolation::ReadUncommitted)
    }

    /// Returns start, stable end and end of `partitions`, in their order.
    ///
    /// # Errors
    /// When a leader does not answer in time.
    pub fn ends(&self, partitions: &[(&str, u32)]) -> Result<Vec<PartitionEnds>, CallError> {
        let starts = self.offsets(partitions, EARLIEST, Isolation::ReadUncommitted)?;
        let stable = self.last_stable(partitions)?;
        let ends = self.high_watermarks(partitions)?;
        let all = starts.into_iter().zip(stable).zip(ends);
        Ok(all
            .map(|((log_start, last_stable), high_watermark)| PartitionEnds {
                log_start,
                last_stable,
                high_watermark,
            })
            .collect())
    }

    /// Returns the stable committed offsets of `partitions` with their metadata; `offset` is negative where there is none.
    /// Waits up to `patience` while an open transaction pins one; then answers with the names of the pinned ones.
    ///
    /// # Errors
    /// When the coordinator does not answer in time; code [`code::UNSTABLE_OFFSET_COMMIT`] or [`code::TIMED_OUT`] when
    /// still pinned: librdkafka asks again by itself and then cannot tell the two apart.
    pub fn committed(
        &self,
        partitions: &[(&str, u32)],
        patience: Duration,
    ) -> Result<Vec<Position>, CallError> {
        let begun = Instant::now();
        let ask: Vec<_> = partitions.iter().map(|(topic, part)| Position::new(topic, *part, -1001)).collect();
        loop {
            let found = self.handle.committed(&ask, self.timeout.min(patience.max(ANSWER_MIN)))?;
            // Each partition's own error comes before its offset: librdkafka answers success even when it gave up.
            match found.iter().find(|position| position.err != 0) {
                None => return Ok(found),
                Some(position)
                    if position.err == code::UNSTABLE_OFFSET_COMMIT && begun.elapsed() < patience =>
                {
                    std::thread::sleep(UNSTABLE_WAIT);
                }
                Some(position) => {
                    let what = format!("committed offset of {}-{}", position.topic, position.partition);
                    return Err(CallError::plain(position.err, what));
                }
            }
        }
    }
}
