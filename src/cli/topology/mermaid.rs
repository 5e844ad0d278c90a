//! A graph as a Mermaid flowchart.

use std::collections::BTreeMap;

use super::graph::{Graph, Part};

/// Returns the flowchart.
pub(super) fn shown(graph: &Graph) -> String {
    let mut ids = Ids::default();
    let mut text = "flowchart LR\n".to_owned();
    for topic in graph.topics() {
        text.push_str(&format!("  {}([\"{topic}\"])\n", ids.of(&format!("topic:{topic}"))));
    }
    for part in &graph.sub_topologies {
        text.push_str(&format!("  subgraph s{}[\"{} {}\"]\n", part.number, part.number, part.name));
        text.push_str(&nodes(part, &mut ids));
        text.push_str("  end\n");
        for edge in part.edges() {
            let arrow = if edge.both_ways { "<-->" } else { "-->" };
            text.push_str(&format!("  {} {arrow} {}\n", ids.of(&edge.from), ids.of(&edge.to)));
        }
    }
    text
}

fn nodes(part: &Part, ids: &mut Ids) -> String {
    let mut text = String::new();
    let mut add = |id: &str, name: &str, [open, close]: [&str; 2]| {
        text.push_str(&format!("    {}{open}{name}{close}\n", ids.of(id)));
    };
    part.sources.iter().for_each(|source| add(&source.name, &source.name, ["[/\"", "\"/]"]));
    part.processors.iter().for_each(|node| add(&node.name, &node.name, ["[\"", "\"]"]));
    part.sinks.iter().for_each(|sink| add(&sink.name, &sink.name, ["[\\\"", "\"\\]"]));
    part.stores.iter().for_each(|store| add(&format!("store:{}", store.name), &store.name, ["[(\"", "\")]"]));
    text
}

/// Identifiers of nodes, numbered as they come: names may hold what Mermaid does not take.
#[derive(Default)]
struct Ids(BTreeMap<String, usize>);

impl Ids {
    fn of(&mut self, name: &str) -> String {
        let next = self.0.len();
        format!("n{}", self.0.entry(name.to_owned()).or_insert(next))
    }
}
