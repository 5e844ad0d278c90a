//! The command and its formats.

use clap::{Args, Subcommand, ValueEnum};
use millpond_topology::Topology;

use super::graph::Graph;
use super::{dot, mermaid};
use crate::app::App;
use crate::cli::output::{json, print};
use crate::cli::{Exit, Failure, Global};
use crate::config::Config;

/// The commands about the topology.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum TopologyCommand {
    /// Shows sub-topologies, topics, processors and stores
    Describe(DescribeArgs),
}

/// Arguments of `millpond topology describe`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct DescribeArgs {
    /// Application to describe
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    app: App,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t)]
    output: DescribeFormat,
}

/// How a topology is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum DescribeFormat {
    /// As Kafka Streams shows its own, so that its viewers take it
    #[default]
    Text,
    /// For a program
    Json,
    /// For Markdown pages
    Mermaid,
    /// For Graphviz
    Dot,
}

/// Returns the topology of an application.
pub(in crate::cli) fn of(app: App, config: &Config) -> Result<Topology, Failure> {
    app.topology(config).map_err(|error| Failure::new(Exit::Usage, "millpond::topology", error))
}

pub(in crate::cli) fn run(global: &Global, command: &TopologyCommand) -> Result<Exit, Failure> {
    let TopologyCommand::Describe(args) = command;
    let topology = of(args.app, &global.load()?.config)?;
    print(&shown(&topology, args.output)?)?;
    Ok(Exit::Ok)
}

fn shown(topology: &Topology, format: DescribeFormat) -> Result<String, Failure> {
    let graph = Graph::of(topology);
    match format {
        DescribeFormat::Text => Ok(topology.describe().to_string()),
        DescribeFormat::Json => json(&graph),
        DescribeFormat::Mermaid => Ok(mermaid::shown(&graph)),
        DescribeFormat::Dot => Ok(dot::shown(&graph)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(format: DescribeFormat) -> String {
        let topology = App::Accounts.topology(&Config::default()).unwrap();
        shown(&topology, format).unwrap()
    }

    #[test]
    fn text_is_in_the_grammar_of_kafka_streams() {
        insta::assert_snapshot!(ledger(DescribeFormat::Text));
    }

    #[test]
    fn json_names_everything() {
        insta::assert_snapshot!(ledger(DescribeFormat::Json));
    }

    #[test]
    fn mermaid_draws_topics_processors_and_stores() {
        insta::assert_snapshot!(ledger(DescribeFormat::Mermaid));
    }

    #[test]
    fn dot_draws_the_same() {
        insta::assert_snapshot!(ledger(DescribeFormat::Dot));
    }
}
