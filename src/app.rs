//! The applications that this binary holds.

use millpond_topology::{Topology, TopologyError};

use crate::config::Config;

/// An application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum App {
    /// The ledger: orders in, balances kept, account events out.
    #[default]
    Accounts,
}

impl App {
    /// Returns its topology with the names that `config` gives.
    ///
    /// # Errors
    /// A name that a topology cannot have.
    pub fn topology(self, config: &Config) -> Result<Topology, TopologyError> {
        match self {
            Self::Accounts => {
                let topics = &config.topics;
                let topics = millpond_ledger::Topics {
                    orders: topics.orders.name.clone(),
                    commands: topics.commands.name.clone(),
                    accounts: topics.accounts.name.clone(),
                    deadletter: topics.deadletter.name.clone(),
                };
                millpond_ledger::topology(&config.app.id, &topics)
            }
        }
    }
}
