//! The topology test driver: a task without broker and RocksDB.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::changelog::{CHANGELOG_MARKER_KEY, InputOffset, Marker};
use crate::codec::CodecError;
use crate::error::TaskError;
use crate::graph::Topology;
use crate::partitioner::partition_for;
use crate::record::OwnedRecord;
use crate::store::MemoryState;
use crate::task::{Applied, Restored, Task, TaskOptions};
use crate::task_id::TaskId;
use crate::time::Now;

/// Memory of a task for held values: small, so that tests see values come and go.
const HELD_BYTES_MAX: usize = 4096;

/// A changelog record: key and after-image (`None` = tombstone).
type ChangelogRecord = (Vec<u8>, Option<Vec<u8>>);

/// A record that came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputRecord {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The record; its offset is its place in the driver's output of that topic-partition.
    pub record: OwnedRecord,
}

/// Says why the driver cannot do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// The task failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A changelog's marker cannot be read.
    #[error(transparent)]
    Marker(#[from] CodecError),
    /// No source reads the topic.
    #[error("no source of the topology reads `{0}`")]
    UnknownTopic(String),
}

struct Slot {
    task: Task<OwnedRecord>,
    state: MemoryState,
    changelog: Vec<ChangelogRecord>,
}

/// Runs a topology on records piped in, with clocks of its own. Every input topic has `partitions`
/// partitions, and so has every sink. Each piped record is a transaction of its own unless
/// [`TestDriver::begin`] was called.
pub struct TestDriver {
    topology: Topology,
    partitions: u32,
    tasks: BTreeMap<TaskId, Slot>,
    offsets: BTreeMap<(String, u32), i64>,
    outputs: Vec<OutputRecord>,
    now: Now,
    manual: bool,
}

impl TestDriver {
    /// Returns a driver of `topology`; the wall clock stands at `wall_ms`.
    ///
    /// # Errors
    /// [`DriverError::Task`] when a task cannot be built.
    pub fn new(topology: Topology, partitions: u32, wall_ms: i64) -> Result<Self, DriverError> {
        let mut driver = Self {
            topology,
            partitions: partitions.max(1),
            tasks: BTreeMap::new(),
            offsets: BTreeMap::new(),
            outputs: Vec::new(),
            now: Now::new(Duration::ZERO, wall_ms),
            manual: false,
        };
        driver.build(&BTreeMap::new())?;
        Ok(driver)
    }

    fn build(&mut self, changelogs: &BTreeMap<TaskId, Vec<ChangelogRecord>>) -> Result<(), DriverError> {
        self.tasks.clear();
        for sub in self.topology.sub_topologies() {
            for partition in 0..self.partitions {
                let id = TaskId::new(sub.number(), partition);
                let changelog = changelogs.get(&id).cloned().unwrap_or_default();
                let state = MemoryState::new();
                let mut marker = None;
                for (key, value) in &changelog {
                    if key[..] == CHANGELOG_MARKER_KEY {
                        marker = value.as_deref().map(Marker::decode).transpose()?;
                    } else {
                        state.apply(key, value.as_deref());
                    }
                }
                let restored =
                    marker.map_or_else(|| fresh(sub.inputs().map(|(_, topic)| topic)), Restored::from);
                let options = TaskOptions {
                    app: self.topology.app().to_owned(),
                    input_partitions: self.partitions,
                    sink_partitions: vec![self.partitions; sub.sinks().len()],
                    timestamp_max_ahead_ms: 24 * 60 * 60 * 1000,
                    dead_letter_value_bytes_max: 900 * 1024,
                    held_bytes_max: HELD_BYTES_MAX,
                };
                let mut task = Task::new(id, sub, options, &restored, Box::new(state.clone()))?;
                let topics: Vec<_> = task.input_topics().map(str::to_owned).collect();
                for (index, topic) in topics.into_iter().enumerate() {
                    let end = self.offsets.get(&(topic, partition)).copied().unwrap_or(0);
                    task.reached_end(index, end.min(task.input(index).map_or(0, |input| input.next_offset)));
                }
                self.tasks.insert(id, Slot { task, state, changelog });
            }
        }
        Ok(())
    }

    /// Pipes a record into the partition of its key (murmur2) and processes it.
    ///
    /// # Errors
    /// [`DriverError`] when no source reads the topic or processing stops.
    pub fn pipe(&mut self, topic: &str, mut record: OwnedRecord) -> Result<i64, DriverError> {
        let partition = partition_for(record.key.as_deref().unwrap_or_default(), self.partitions);
        if !self.is_input(topic) {
            return Err(DriverError::UnknownTopic(topic.to_owned()));
        }
        let next = self.offsets.entry((topic.to_owned(), partition)).or_insert(0);
        record.offset = *next;
        *next += 1;
        let offset = record.offset;
        self.deliver(topic, partition, record)?;
        if !self.manual {
            self.commit()?;
        }
        Ok(offset)
    }

    fn is_input(&self, topic: &str) -> bool {
        self.topology.sub_topologies().iter().any(|sub| sub.inputs().any(|(_, input)| input == topic))
    }

    /// Hands a record to the task that reads its topic, if there is one, and processes it.
    fn deliver(&mut self, topic: &str, partition: u32, record: OwnedRecord) -> Result<(), DriverError> {
        let slot = self.tasks.iter_mut().find_map(|(id, slot)| {
            let index = slot.task.input_topics().position(|known| known == topic)?;
            (id.partition == partition).then_some((index, slot))
        });
        let Some((index, slot)) = slot else { return Ok(()) };
        let end = record.offset + 1;
        slot.task.push(index, record);
        slot.task.reached_end(index, end);
        slot.task.process(self.now, usize::MAX)?;
        slot.task.punctuate(self.now)?;
        Ok(())
    }

    /// Advances both clocks and calls the wall-clock punctuators that are due.
    ///
    /// # Errors
    /// [`DriverError::Task`] when a punctuator fails.
    pub fn advance(&mut self, by: Duration) -> Result<(), DriverError> {
        self.now.monotonic += by;
        self.now.wall_ms += i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        for slot in self.tasks.values_mut() {
            slot.task.punctuate(self.now)?;
        }
        if self.manual { Ok(()) } else { self.commit().map(|_| ()) }
    }

    /// Opens a transaction that lasts until [`TestDriver::commit`], [`TestDriver::abort`] or
    /// [`TestDriver::crash`].
    pub fn begin(&mut self) {
        self.manual = true;
    }

    /// Commits and applies; returns what was applied, over all tasks. Outputs on a topic that a source of the
    /// topology reads are its input from then on, in transactions of their own.
    ///
    /// # Errors
    /// [`DriverError::Task`] when a task cannot apply, or cannot process what another one wrote.
    pub fn commit(&mut self) -> Result<Vec<Applied>, DriverError> {
        self.manual = false;
        let mut applied = Vec::new();
        let mut from = self.outputs.len();
        loop {
            self.commit_dirty(&mut applied)?;
            let written: Vec<_> = self.outputs.iter().skip(from).cloned().collect();
            from = self.outputs.len();
            if written.is_empty() {
                return Ok(applied);
            }
            for OutputRecord { topic, partition, record } in written {
                self.deliver(&topic, partition, record)?;
            }
        }
    }

    fn commit_dirty(&mut self, applied: &mut Vec<Applied>) -> Result<(), DriverError> {
        for slot in self.tasks.values_mut().filter(|slot| slot.task.is_dirty()) {
            let sealed = slot.task.seal();
            for (topic, partition, run) in sealed.outputs() {
                for view in run.iter() {
                    let key = (topic.to_owned(), partition);
                    let offset = self.offsets.entry(key).or_insert(0);
                    let record = OwnedRecord {
                        offset: *offset,
                        timestamp_ms: view.timestamp_ms(),
                        key: view.key().map(<[u8]>::to_vec),
                        value: view.value().map(<[u8]>::to_vec),
                        headers: view.headers().map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec))).collect(),
                    };
                    *offset += 1;
                    self.outputs.push(OutputRecord { topic: topic.to_owned(), partition, record });
                }
            }
            for (key, value) in sealed.images() {
                slot.state.apply(key, value);
                slot.changelog.push((key.to_vec(), value.map(<[u8]>::to_vec)));
            }
            slot.changelog.push((CHANGELOG_MARKER_KEY.to_vec(), Some(sealed.marker_bytes().to_vec())));
            applied.push(slot.task.apply()?);
        }
        Ok(())
    }

    /// Aborts the open transaction; the records are processed again at once, from memory.
    ///
    /// # Errors
    /// [`DriverError::Task`] when processing stops.
    pub fn abort(&mut self) -> Result<(), DriverError> {
        for slot in self.tasks.values_mut() {
            slot.task.rollback();
            slot.task.process(self.now, usize::MAX)?;
            slot.task.punctuate(self.now)?;
        }
        Ok(())
    }

    /// Forgets all state and starts again from the changelogs, as after a crash; input piped in but not
    /// committed is lost to the driver and must be piped again. Returns the next offset of every input
    /// topic-partition.
    ///
    /// # Errors
    /// [`DriverError`] when a changelog cannot be read.
    pub fn crash(&mut self) -> Result<BTreeMap<(String, u32), i64>, DriverError> {
        self.manual = false;
        let changelogs: BTreeMap<_, _> =
            self.tasks.iter().map(|(id, slot)| (*id, slot.changelog.clone())).collect();
        self.build(&changelogs)?;
        let mut next = BTreeMap::new();
        for (id, slot) in &self.tasks {
            let topics: Vec<_> = slot.task.input_topics().map(str::to_owned).collect();
            for (index, topic) in topics.into_iter().enumerate() {
                let offset = slot.task.input(index).map_or(0, |input| input.applied_offset);
                self.offsets.insert((topic.clone(), id.partition), offset);
                next.insert((topic, id.partition), offset);
            }
        }
        Ok(next)
    }

    /// Takes the outputs collected so far.
    pub fn outputs(&mut self) -> Vec<OutputRecord> {
        std::mem::take(&mut self.outputs)
    }

    /// Returns the committed state of a task: changelog keys and values.
    #[must_use]
    pub fn state(&self, task: TaskId) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.tasks.get(&task).map(|slot| slot.state.snapshot()).unwrap_or_default()
    }

    /// Returns the last marker of a task's changelog.
    #[must_use]
    pub fn marker(&self, task: TaskId) -> Option<Marker> {
        let slot = self.tasks.get(&task)?;
        let last = slot.changelog.iter().rev().find(|(key, _)| key[..] == CHANGELOG_MARKER_KEY);
        last.and_then(|(_, value)| Marker::decode(value.as_deref()?).ok())
    }
}

/// The start of a task that never ran.
fn fresh<'a>(topics: impl Iterator<Item = &'a str>) -> Restored {
    let inputs =
        topics.map(|topic| InputOffset { topic: topic.to_owned(), topic_id: [0; 16], next_offset: 0 });
    Restored {
        inputs: inputs.collect(),
        sequence: 0,
        stream_time_ms: -1,
        punctuations: Vec::new(),
        tallies: Vec::new(),
    }
}
