//! What is to be judged and where it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::place::Names;

/// Names of the topics of the accounts topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Input: orders.
    pub orders: String,
    /// Input: account commands; co-partitioned with the orders.
    pub commands: String,
    /// Output: account events.
    pub accounts: String,
    /// Output: dead letters.
    pub deadletter: String,
    /// Changelog of the sub-topology.
    pub changelog: String,
}

impl Topics {
    pub(crate) fn names(&self) -> Names {
        let (orders, commands, accounts) =
            (self.orders.clone(), self.commands.clone(), self.accounts.clone());
        Names { orders, commands, accounts }
    }
}

/// A running or stopped system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// Application id: consumer group, namespace of the event ids, prefix of `<app>.sink`.
    pub app_id: String,
    /// Name of the sub-topology, `accounts`.
    pub subtopology: String,
    /// Topic names.
    pub topics: Topics,
    /// `<state.dir>/<app.id>` of each instance whose stores can be read from here; may be empty.
    pub state_dirs: Vec<PathBuf>,
    /// PostgreSQL with the sink's tables; `None` leaves its checks undone.
    pub postgres_url: Option<String>,
    /// Raw librdkafka settings for the reading consumers, such as TLS.
    pub consumer_overrides: BTreeMap<String, String>,
}
