//! `millpond load`.

use super::output::print;
use super::{Exit, Failure, Global};
use crate::load::{LoadArgs, Target};

pub(super) fn run(global: &Global, args: &LoadArgs) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let target = Target {
        brokers: config.kafka.brokers.to_string(),
        client: config.kafka.producer.as_map().clone(),
        orders: config.topics.orders.name,
        commands: config.topics.commands.name,
    };
    let failed = |error| Failure::new(Exit::Failed, "millpond::load", error);
    let summary = crate::load::run(&target, args).map_err(failed)?;
    print(&format!("{summary}\n"))?;
    Ok(Exit::Ok)
}
