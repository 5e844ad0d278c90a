//! What `millpond load` understands.

use super::options::{Mix, Options};
use super::pace::Pace;
use super::producer::Transactions;

/// Options of `millpond load`.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// Users with an account, numbered from 1
    #[arg(long, default_value_t = 20_000)]
    pub users: u64,
    /// Records of the order stream, bad ones and duplicates included
    #[arg(long, default_value_t = 200_000)]
    pub orders: u64,
    /// Records per second; 0 = as fast as possible. Funding is written as fast as possible
    #[arg(long, default_value_t = 8_000)]
    pub rate: u64,
    /// Seed; the same one gives the same records. Another one never repeats an order id
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Exponent of Zipf's law over the users; 0 = all alike
    #[arg(long, default_value_t = 0.0)]
    pub zipf: f64,
    /// Share of orders that were sent before, 0 to 1
    #[arg(long, default_value_t = Mix::DEMO.duplicates)]
    pub duplicates: f64,
    /// Share of orders above what the user can have
    #[arg(long, default_value_t = Mix::DEMO.short)]
    pub short: f64,
    /// Share of orders of users without account
    #[arg(long, default_value_t = Mix::DEMO.unknown_users)]
    pub unknown_users: f64,
    /// Share of bad records, all kinds in turn
    #[arg(long, default_value_t = Mix::DEMO.bad)]
    pub bad: f64,
    /// Share of good records with something changed at random
    #[arg(long, default_value_t = Mix::DEMO.mutated)]
    pub mutated: f64,
    /// Share of withdrawals, freezes, cancellations, refunds and so on, on top of the orders
    #[arg(long, default_value_t = Mix::DEMO.others)]
    pub others: f64,
    /// Writes in transactions, every fifth of which is aborted and written again
    #[arg(long)]
    pub transactional: bool,
    /// Opens and funds the accounts and writes no order
    #[arg(long, conflicts_with = "skip_funding")]
    pub fund_only: bool,
    /// Writes orders only: the users were funded by an earlier run
    #[arg(long)]
    pub skip_funding: bool,
}

impl LoadArgs {
    /// Returns what is to be generated for topics of that many partitions.
    #[must_use]
    pub fn options(&self, partitions: u32) -> Options {
        let mix = Mix {
            duplicates: self.duplicates,
            short: self.short,
            unknown_users: self.unknown_users,
            bad: self.bad,
            mutated: self.mutated,
            others: self.others,
        };
        let orders = if self.fund_only { 0 } else { self.orders };
        Options { seed: self.seed, users: self.users, orders, zipf: self.zipf, mix, partitions }
    }

    /// Returns the schedule of the orders.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::per_second(self.rate)
    }

    /// Returns how the input is cut into transactions.
    #[must_use]
    pub fn transactions(&self) -> Option<Transactions> {
        self.transactional.then(Transactions::default)
    }
}
