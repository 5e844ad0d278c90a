//! Validation of a topology; every message names the node.

use std::collections::{HashMap, HashSet};

use crate::error::TopologyError;
use crate::graph::SubTopology;

/// Longest name of a node: two of them and `.changelog` fit into a topic name.
const NODE_NAME_MAX: usize = 100;
/// Longest topic name, as Kafka limits it.
const TOPIC_NAME_MAX: usize = 249;

fn name(kind: &'static str, name: &str) -> Result<(), TopologyError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let max = if kind == "topic" { TOPIC_NAME_MAX } else { NODE_NAME_MAX };
    // Names become directories and topics; `.` and `..` are neither.
    if (1..=max).contains(&name.len()) && name.chars().all(legal) && name != "." && name != ".." {
        Ok(())
    } else {
        Err(TopologyError::Name { kind, name: name.to_owned(), max })
    }
}

/// Checks a whole topology.
pub(crate) fn topology(app: &str, subs: &[SubTopology]) -> Result<(), TopologyError> {
    name("application", app)?;
    let mut names = HashSet::new();
    let mut store_names = HashSet::new();
    let mut topics = HashMap::new();
    for sub in subs {
        name("sub-topology", &sub.name)?;
        unique(&mut names, &sub.name)?;
        nodes(sub, &mut names)?;
        stores(sub, &mut store_names)?;
        processors(sub)?;
        sources(sub, &mut topics)?;
        for sink in &sub.sinks {
            name("topic", &sink.topic)?;
            if sink.parents.is_empty() {
                return Err(TopologyError::Unused { kind: "sink", name: sink.name.clone() });
            }
        }
    }
    Ok(())
}

fn unique(names: &mut HashSet<String>, found: &str) -> Result<(), TopologyError> {
    if names.insert(found.to_owned()) {
        Ok(())
    } else {
        Err(TopologyError::DuplicateName { name: found.to_owned() })
    }
}

fn nodes(sub: &SubTopology, names: &mut HashSet<String>) -> Result<(), TopologyError> {
    let sources = sub.sources.iter().map(|node| ("source", &node.name));
    let processors = sub.processors.iter().map(|node| ("processor", &node.name));
    let sinks = sub.sinks.iter().map(|node| ("sink", &node.name));
    for (kind, found) in sources.chain(processors).chain(sinks) {
        name(kind, found)?;
        unique(names, found)?;
    }
    Ok(())
}

fn stores(sub: &SubTopology, names: &mut HashSet<String>) -> Result<(), TopologyError> {
    let mut ids: HashMap<u16, &str> = HashMap::new();
    for store in &sub.stores {
        let spec = &store.spec;
        name("store", &spec.name)?;
        unique(names, &spec.name)?;
        let refuse = |why: String| Err(TopologyError::StoreId { name: spec.name.clone(), id: spec.id, why });
        if spec.id == 0 {
            return refuse("reserved for the marker".to_owned());
        }
        if let Some(other) = ids.insert(spec.id, &spec.name) {
            return refuse(format!("used by store `{other}`"));
        }
        if !sub.processors.iter().any(|node| node.handles.contains(&(sub.number, spec.id))) {
            return Err(TopologyError::Unused { kind: "store", name: spec.name.clone() });
        }
    }
    Ok(())
}

fn processors(sub: &SubTopology) -> Result<(), TopologyError> {
    let mut ids = HashSet::new();
    for node in &sub.processors {
        // A handle of another sub-topology may carry an id that means another store here.
        let own = |(number, id): (u32, u16)| {
            number == sub.number && sub.stores.iter().any(|store| store.spec.id == id)
        };
        if let Some((_, id)) = node.handles.iter().find(|store| !own(**store)) {
            return Err(foreign(sub, &node.name, "store", id.to_string()));
        }
        children(sub, &node.name, &node.children)?;
        for punctuator in &node.punctuators {
            let refuse = |why: &str| {
                Err(TopologyError::Punctuator {
                    node: node.name.clone(),
                    id: punctuator.id,
                    why: why.to_owned(),
                })
            };
            if punctuator.interval_ms < 1 {
                return refuse("the interval must be at least 1 ms");
            }
            if !ids.insert(punctuator.id) {
                return refuse("the id is used twice in this sub-topology");
            }
        }
    }
    Ok(())
}

fn foreign(sub: &SubTopology, node: &str, kind: &'static str, name: String) -> TopologyError {
    TopologyError::Foreign { node: node.to_owned(), kind, name, subtopology: sub.name.clone() }
}

/// Checks that what `node` feeds is part of `sub`; only the sink of another sub-topology can be foreign.
fn children(sub: &SubTopology, node: &str, children: &[String]) -> Result<(), TopologyError> {
    let own = |child: &String| {
        sub.sinks.iter().any(|sink| &sink.name == child)
            || sub.processors.iter().any(|other| &other.name == child)
    };
    children
        .iter()
        .find(|child| !own(child))
        .map_or(Ok(()), |child| Err(foreign(sub, node, "sink", child.clone())))
}

fn sources(sub: &SubTopology, topics: &mut HashMap<String, String>) -> Result<(), TopologyError> {
    if sub.sources.is_empty() {
        return Err(TopologyError::NoSource { name: sub.name.clone() });
    }
    for source in &sub.sources {
        let refuse = |why: String| Err(TopologyError::Source { node: source.name.clone(), why });
        if source.topics.is_empty() {
            return refuse("it reads no topic".to_owned());
        }
        children(sub, &source.name, &source.children)?;
        for topic in &source.topics {
            name("topic", topic)?;
            if let Some(other) = topics.insert(topic.clone(), source.name.clone()) {
                return refuse(format!("topic `{topic}` is already read by source `{other}`"));
            }
        }
    }
    Ok(())
}
