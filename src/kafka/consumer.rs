//! A manually assigned consumer with one queue for all its partitions.
//!
//! It never joins the group. A partition whose buffer is full is taken off the queue and put back at half: `pause()`
//! would throw the prefetched records away.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client_config::ClientConfig;
use super::events::{Noticed, drain};
use super::ffi::{CallError, Handle, Kind, Message, Position, Queue};

/// A topic-partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
}

/// Whether records of a partition come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They do.
    On,
    /// They stay in the client's bounded fetch queue.
    Off,
}

#[derive(Debug)]
struct Assigned {
    queue: Queue,
    flow: Flow,
    c_topic: CString,
}

/// Longest wait for metadata.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);
/// How often the main queues are served.
const SERVE_EVERY: Duration = Duration::from_millis(200);

/// A consumer of a set of partitions that the caller chooses.
#[derive(Debug)]
pub struct Consumer {
    // Field order is drop order: queues before the handle.
    assigned: BTreeMap<TopicPartition, Assigned>,
    queue: Queue,
    main: Queue,
    handle: Arc<Handle>,
    served: Instant,
}

impl Consumer {
    /// Creates a consumer.
    ///
    /// # Errors
    /// A configuration key that librdkafka refuses.
    pub fn new(config: &ClientConfig) -> Result<Self, CallError> {
        let handle = Handle::new(Kind::Consumer, config.iter())?;
        let queue = Queue::new(&handle)?;
        let main = Queue::main(&handle)?;
        Ok(Self { assigned: BTreeMap::new(), queue, main, handle, served: Instant::now() })
    }

    /// Starts reading `positions`. Metadata is asked first, else the first fetch waits up to a second.
    ///
    /// # Errors
    /// When a topic is not there or no broker answers within 2 s (nothing has changed then); librdkafka's.
    pub fn add(&mut self, positions: &[Position]) -> Result<(), CallError> {
        for position in positions {
            self.handle.partition_count(&position.topic, METADATA_PATIENCE)?;
        }
        for position in positions {
            let queue = Queue::partition(&self.handle, &position.topic, position.partition)?;
            queue.forward(Some(&self.queue));
            let key = TopicPartition { topic: position.topic.clone(), partition: position.partition };
            let c_topic = CString::new(position.topic.as_str()).unwrap_or_default();
            self.assigned.insert(key, Assigned { queue, flow: Flow::On, c_topic });
        }
        self.handle.incremental_assign(positions)
    }

    /// Stops reading `partitions`; what was fetched of them is thrown away.
    ///
    /// # Errors
    /// librdkafka's.
    pub fn remove(&mut self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        let known: Vec<_> = partitions.iter().filter(|key| self.assigned.remove(key).is_some()).collect();
        if known.is_empty() {
            return Ok(());
        }
        let positions: Vec<_> =
            known.iter().map(|key| Position::new(&key.topic, key.partition, -1001)).collect();
        self.handle.incremental_unassign(&positions)
    }

    /// Lets records of a partition come in, or not.
    pub fn set_flow(&mut self, key: &TopicPartition, flow: Flow) {
        if let Some(assigned) = self.assigned.get_mut(key).filter(|assigned| assigned.flow != flow) {
            assigned.queue.forward((flow == Flow::On).then_some(&self.queue));
            assigned.flow = flow;
        }
    }

    /// Moves fetched messages into `out`: waits up to `wait` for the first, then takes up to `max` without waiting.
    /// Messages that stand for an end of partition or an error are among them.
    pub fn fetch(&mut self, wait: Duration, max: usize, out: &mut Vec<Message>) {
        let before = out.len();
        self.queue.take_ready(max, out);
        if out.len() == before
            && !wait.is_zero()
            && let Some(first) = self.queue.take_one(wait)
        {
            out.push(first);
            self.queue.take_ready(max.saturating_sub(1), out);
        }
        if self.served.elapsed() >= SERVE_EVERY {
            self.serve(out);
        }
    }

    /// Serves what does not come by the partitions' queue: log lines and client errors.
    fn serve(&mut self, out: &mut Vec<Message>) {
        self.served = Instant::now();
        drain(&self.main, &mut Noticed::default());
        while let Some(message) = self.handle.consumer_poll(Duration::ZERO) {
            out.push(message);
        }
    }

    /// Returns the end of a partition as the last fetch reported it, without asking a broker.
    #[must_use]
    pub fn cached_end(&self, key: &TopicPartition) -> Option<i64> {
        let assigned = self.assigned.get(key)?;
        let topic: &CStr = &assigned.c_topic;
        self.handle.cached_end(topic, i32::try_from(key.partition).ok()?)
    }
}
