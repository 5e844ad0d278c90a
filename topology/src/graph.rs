//! A validated topology: what the runtime, the tools and the tasks read.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::changelog::Fingerprint;
use crate::node::Entry;
use crate::processor::PunctuatorSpec;
use crate::store::StoreSpec;

/// Name of the only partitioner, as the fingerprint and the store's metadata carry it.
pub(crate) const PARTITIONER: &str = "murmur2";

pub(crate) type EntryFactory = Arc<dyn Fn() -> Box<dyn Entry> + Send + Sync>;

/// A source and its topics.
#[derive(Clone)]
pub struct SourceInfo {
    /// Name, unique in the topology.
    pub name: String,
    /// Topics, co-partitioned.
    pub topics: Vec<String>,
    /// Names of the nodes it feeds.
    pub children: Vec<String>,
    pub(crate) factory: EntryFactory,
}

/// A processor of the graph.
#[derive(Debug, Clone, Default)]
pub struct ProcessorInfo {
    /// Name, unique in the topology.
    pub name: String,
    /// Ids of the stores it is connected to.
    pub stores: Vec<u16>,
    /// Names of the nodes that feed it.
    pub parents: Vec<String>,
    /// Names of the nodes that it feeds or sends to.
    pub children: Vec<String>,
    /// Its punctuators.
    pub punctuators: Vec<PunctuatorSpec>,
    /// The stores as their handles say: number of the sub-topology, and id.
    pub(crate) handles: Vec<(u32, u16)>,
}

/// A sink and its topic.
#[derive(Debug, Clone)]
pub struct SinkInfo {
    /// Name, unique in the topology.
    pub name: String,
    /// Topic.
    pub topic: String,
    /// Names of the processors that send to it.
    pub parents: Vec<String>,
}

/// A store.
#[derive(Debug, Clone)]
pub struct StoreInfo {
    /// What the topology says of it.
    pub spec: StoreSpec,
}

/// A part of a topology whose nodes are connected; one task per partition.
#[derive(Clone)]
pub struct SubTopology {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) sources: Vec<SourceInfo>,
    pub(crate) processors: Vec<ProcessorInfo>,
    pub(crate) sinks: Vec<SinkInfo>,
    pub(crate) stores: Vec<StoreInfo>,
    pub(crate) punctuators: Vec<PunctuatorSpec>,
    pub(crate) dead_letter_sink: Option<usize>,
}

impl fmt::Debug for SubTopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubTopology")
            .field("number", &self.number)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SubTopology {
    /// Returns its number, the first part of its task ids.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its sources.
    #[must_use]
    pub fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    /// Returns its processors.
    #[must_use]
    pub fn processors(&self) -> &[ProcessorInfo] {
        &self.processors
    }

    /// Returns its sinks; the dead-letter sink is the last one.
    #[must_use]
    pub fn sinks(&self) -> &[SinkInfo] {
        &self.sinks
    }

    /// Returns its stores by id.
    #[must_use]
    pub fn stores(&self) -> &[StoreInfo] {
        &self.stores
    }

    /// Iterates over (source index, input topic).
    pub fn inputs(&self) -> impl Iterator<Item = (usize, &str)> {
        let topics = |(at, source): (usize, _)| {
            let source: &SourceInfo = source;
            source.topics.iter().map(move |topic| (at, topic.as_str()))
        };
        self.sources.iter().enumerate().flat_map(topics)
    }

    /// Returns the name of its changelog topic under application `app`.
    #[must_use]
    pub fn changelog_topic(&self, app: &str) -> String {
        format!("{app}.{}.changelog", self.name)
    }

    /// Returns the name of its partitioner.
    #[must_use]
    pub fn partitioner(&self) -> &'static str {
        PARTITIONER
    }

    /// Returns what its state depends on. See `docs/formats.md`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        // With the source that reads it: two topics that change places are other inputs.
        let inputs =
            self.sources.iter().flat_map(|source| source.topics.iter().map(|topic| (&source.name, topic)));
        let mut inputs: Vec<_> = inputs.collect();
        inputs.sort_unstable();
        let mut text = "millpond/2\n".to_owned();
        for (source, topic) in inputs {
            text.push_str(&format!("input {source} {topic}\n"));
        }
        text.push_str(&format!("partitioner {PARTITIONER}\n"));
        let stores = self.stores.iter().map(|store| {
            let spec = &store.spec;
            (spec.id, leading(&Sha256::digest(format!("{} {} {}", spec.id, spec.name, spec.codec))))
        });
        Fingerprint { base: leading(&Sha256::digest(text)), stores: stores.collect() }
    }

    pub(crate) fn punctuators(&self) -> &[PunctuatorSpec] {
        &self.punctuators
    }

    pub(crate) fn dead_letter_sink(&self) -> Option<usize> {
        self.dead_letter_sink
    }

    pub(crate) fn build_entries(&self) -> Vec<Box<dyn Entry>> {
        self.sources.iter().map(|source| (source.factory)()).collect()
    }
}

fn leading<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = *from;
    }
    out
}

/// A validated topology.
#[derive(Debug, Clone)]
pub struct Topology {
    pub(crate) app: String,
    pub(crate) subs: Vec<Arc<SubTopology>>,
}

impl Topology {
    /// Returns the application id: group id and prefix of internal names.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// Returns the sub-topologies by number.
    #[must_use]
    pub fn sub_topologies(&self) -> &[Arc<SubTopology>] {
        &self.subs
    }

    /// Returns the sub-topology with this number.
    #[must_use]
    pub fn sub_topology(&self, number: u32) -> Option<&Arc<SubTopology>> {
        self.subs.get(number as usize)
    }
}
