//! A topology as data, and its edges.

use millpond_topology::{SubTopology, Topology};
use serde::Serialize;

/// A topology.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Graph {
    pub(super) app: String,
    pub(super) sub_topologies: Vec<Part>,
}

/// A sub-topology.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) changelog: String,
    /// Of the inputs and the partitioner, as in the changelog's marker.
    pub(super) hash: String,
    pub(super) sources: Vec<Source>,
    pub(super) processors: Vec<Processor>,
    pub(super) sinks: Vec<Sink>,
    pub(super) stores: Vec<Store>,
}

#[derive(Debug, Serialize)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) topics: Vec<String>,
    pub(super) children: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Processor {
    pub(super) name: String,
    pub(super) stores: Vec<String>,
    pub(super) parents: Vec<String>,
    pub(super) children: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Sink {
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) parents: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Store {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) codec: String,
}

/// An arrow of the drawing.
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    /// True between a processor and a store, which is read and written.
    pub(super) both_ways: bool,
}

impl Graph {
    pub(super) fn of(topology: &Topology) -> Self {
        let parts = topology.sub_topologies().iter().map(|sub| Part::of(topology.app(), sub));
        Self { app: topology.app().to_owned(), sub_topologies: parts.collect() }
    }

    /// Returns every topic that is read or written, changelogs not included, by name.
    pub(super) fn topics(&self) -> Vec<&str> {
        let parts = self.sub_topologies.iter();
        let read = parts.clone().flat_map(|part| part.sources.iter().flat_map(|source| &source.topics));
        let written = parts.flat_map(|part| part.sinks.iter().map(|sink| &sink.topic));
        let mut topics: Vec<&str> = read.chain(written).map(String::as_str).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}

impl Part {
    fn of(app: &str, sub: &SubTopology) -> Self {
        let store_name = |id: &u16| sub.stores().iter().find(|store| store.spec.id == *id);
        let processor = |node: &millpond_topology::ProcessorInfo| Processor {
            name: node.name.clone(),
            stores: node.stores.iter().filter_map(store_name).map(|store| store.spec.name.clone()).collect(),
            parents: node.parents.clone(),
            children: node.children.clone(),
        };
        let source = |node: &millpond_topology::SourceInfo| Source {
            name: node.name.clone(),
            topics: node.topics.clone(),
            children: node.children.clone(),
        };
        let sink = |node: &millpond_topology::SinkInfo| Sink {
            name: node.name.clone(),
            topic: node.topic.clone(),
            parents: node.parents.clone(),
        };
        let store = |store: &millpond_topology::StoreInfo| Store {
            id: store.spec.id,
            name: store.spec.name.clone(),
            codec: store.spec.codec.to_owned(),
        };
        Self {
            number: sub.number(),
            name: sub.name().to_owned(),
            changelog: sub.changelog_topic(app),
            hash: sub.fingerprint().base.iter().map(|byte| format!("{byte:02x}")).collect(),
            sources: sub.sources().iter().map(source).collect(),
            processors: sub.processors().iter().map(processor).collect(),
            sinks: sub.sinks().iter().map(sink).collect(),
            stores: sub.stores().iter().map(store).collect(),
        }
    }

    /// Returns the arrows, from topics to topics; topics are named `topic:<name>`, stores `store:<name>`,
    /// since a
    /// node may have the same name.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned(), both_ways: false };
        let mut edges = vec![];
        // Sinks name their parents themselves.
        let is_sink = |name: &&String| self.sinks.iter().any(|sink| sink.name == **name);
        for source in &self.sources {
            edges.extend(source.topics.iter().map(|topic| edge(&format!("topic:{topic}"), &source.name)));
            let children = source.children.iter().filter(|child| !is_sink(child));
            edges.extend(children.map(|child| edge(&source.name, child)));
        }
        for processor in &self.processors {
            let children = processor.children.iter().filter(|child| !is_sink(child));
            edges.extend(children.map(|child| edge(&processor.name, child)));
            let stores = processor.stores.iter();
            edges.extend(
                stores.map(|store| Edge {
                    both_ways: true,
                    ..edge(&processor.name, &format!("store:{store}"))
                }),
            );
        }
        // A sink knows all its parents; sources do not list the dead letters among their children.
        for sink in &self.sinks {
            edges.extend(sink.parents.iter().map(|parent| edge(parent, &sink.name)));
            edges.push(edge(&sink.name, &format!("topic:{}", sink.topic)));
        }
        edges
    }
}
