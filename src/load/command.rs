//! `millpond load`: writes accounts, deposits and orders.

use std::sync::atomic::AtomicBool;

use super::args::LoadArgs;
use super::error::LoadError;
use super::feed::{Feed, Phase};
use super::generator::Generator;
use super::meter::Meter;
use super::pace::Pace;
use super::progress::{Goal, Progress};
use super::summary::Summary;
use super::target::Target;

/// Writes what `args` ask for to `target`, shows progress on stderr, and returns what was written.
///
/// # Errors
/// When an option is out of range, a topic is missing, or a record cannot be written.
pub fn run(target: &Target, args: &LoadArgs) -> Result<Summary, LoadError> {
    let mut generator = Generator::new(args.options(target.partitions()?))?;
    let mut feed = Feed::new(target, args.transactions())?;
    // Interrupting the command ends the process: nothing is left to clean up.
    let stop = AtomicBool::new(false);
    let funding = Goal { title: "accounts", total: generator.funding_len(), count: Meter::acknowledged };
    let orders = Goal { title: "orders", total: args.orders, count: Meter::orders };
    if !args.skip_funding {
        let _progress = Progress::start(funding, feed.meter())?;
        feed.run(&mut generator, Phase::Funding, Pace::UNLIMITED, &stop)?;
    }
    if !args.fund_only {
        let _progress = Progress::start(orders, feed.meter())?;
        feed.run(&mut generator, Phase::Orders, args.pace(), &stop)?;
    }
    Ok(generator.summary().clone())
}
