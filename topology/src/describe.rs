//! `describe()` in the grammar of Kafka Streams' `Topology.describe()`, so that its viewers work.

use std::fmt;

use crate::graph::{SubTopology, Topology};

/// Shows a topology as Kafka Streams shows its own.
#[derive(Debug, Clone, Copy)]
pub struct Describe<'a>(&'a Topology);

impl Topology {
    /// Returns the description, to be displayed.
    #[must_use]
    pub fn describe(&self) -> Describe<'_> {
        Describe(self)
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl fmt::Display for Describe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Topologies:")?;
        // The space is Kafka Streams' own: it ends the heading, so that only the first sub-topology has
        // three.
        write!(f, " ")?;
        for sub in self.0.sub_topologies() {
            sub_topology(sub, f)?;
        }
        Ok(())
    }
}

fn sub_topology(sub: &SubTopology, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "  Sub-topology: {}", sub.number())?;
    for source in sub.sources() {
        writeln!(f, "    Source: {} (topics: [{}])", source.name, source.topics.join(", "))?;
        writeln!(f, "      --> {}", list(&source.children))?;
    }
    for node in &sub.processors {
        let stores =
            node.stores.iter().filter_map(|id| sub.stores().iter().find(|store| store.spec.id == *id));
        let stores: Vec<_> = stores.map(|store| store.spec.name.clone()).collect();
        writeln!(f, "    Processor: {} (stores: [{}])", node.name, stores.join(", "))?;
        writeln!(f, "      --> {}", list(&node.children))?;
        writeln!(f, "      <-- {}", list(&node.parents))?;
    }
    for sink in sub.sinks() {
        writeln!(f, "    Sink: {} (topic: {})", sink.name, sink.topic)?;
        writeln!(f, "      <-- {}", list(&sink.parents))?;
    }
    writeln!(f)
}
