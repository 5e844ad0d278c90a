//! A graph for Graphviz.

use super::graph::{Graph, Part};

/// Returns the digraph.
pub(super) fn shown(graph: &Graph) -> String {
    let mut text = format!("digraph {} {{\n  rankdir=LR\n  node [shape=box]\n", quoted(&graph.app));
    for topic in graph.topics() {
        let id = quoted(&format!("topic:{topic}"));
        text.push_str(&format!("  {id} [label={}, style=rounded]\n", quoted(topic)));
    }
    for part in &graph.sub_topologies {
        let label = quoted(&format!("{} {}", part.number, part.name));
        text.push_str(&format!(
            "  subgraph cluster_{} {{\n    label={label}\n{}  }}\n",
            part.number,
            nodes(part)
        ));
        for edge in part.edges() {
            let both = if edge.both_ways { " [dir=both]" } else { "" };
            text.push_str(&format!("  {} -> {}{both}\n", quoted(&edge.from), quoted(&edge.to)));
        }
    }
    text + "}\n"
}

fn nodes(part: &Part) -> String {
    let mut text = String::new();
    let mut add = |id: &str, name: &str, shape: &str| {
        text.push_str(&format!("    {} [label={}, shape={shape}]\n", quoted(id), quoted(name)));
    };
    part.sources.iter().for_each(|source| add(&source.name, &source.name, "cds"));
    part.processors.iter().for_each(|node| add(&node.name, &node.name, "box"));
    part.sinks.iter().for_each(|sink| add(&sink.name, &sink.name, "cds"));
    part.stores.iter().for_each(|store| add(&format!("store:{}", store.name), &store.name, "cylinder"));
    text
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
