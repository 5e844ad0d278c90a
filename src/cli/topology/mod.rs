//! `millpond topology describe`: the graph, for people, viewers and programs.

mod command;
mod dot;
mod graph;
mod mermaid;

pub(super) use command::TopologyCommand;
pub(super) use command::{of, run};
