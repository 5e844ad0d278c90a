//! The topology of the ledger: two sources, two processors, three stores, one sink and the dead letters.

use millpond_topology::{
    Builder, SourceSpec, SubBuilder, Topology, TopologyError, U64Key, U64PairKey, processor,
};

use crate::input::{CommandEventSerde, OrderEventSerde, RecordKey, VALUE_BYTES_MAX};
use crate::output::{AccountEventSerde, UserKey};
use crate::processor::{CommandProcessor, Desk, OrderProcessor};
use crate::state::{Account, AccountCodec, OrderCodec, ReferenceCodec, ReferenceKeyCodec};

/// The application id unless configured.
pub const DEFAULT_APP_ID: &str = "ledger-accounts";

/// The name of the one sub-topology; its changelog is `<app>.accounts.changelog`.
pub const SUB_TOPOLOGY: &str = "accounts";

/// Names of the topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Events of orders; co-partitioned with `commands`.
    pub orders: String,
    /// Commands to accounts.
    pub commands: String,
    /// Events of accounts: the output.
    pub accounts: String,
    /// What could not be processed.
    pub deadletter: String,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            orders: "order.events".to_owned(),
            commands: "account.commands".to_owned(),
            accounts: "account.events".to_owned(),
            deadletter: "deadletter.events".to_owned(),
        }
    }
}

/// Returns the ledger as the application `app`, whose id is also the namespace of its event ids.
///
/// # Errors
/// [`TopologyError`] when a name is not allowed or two topics are the same.
pub fn topology(app: &str, topics: &Topics) -> Result<Topology, TopologyError> {
    let mut builder = Builder::new(app);
    builder.sub_topology(SUB_TOPOLOGY, |sub| accounts(sub, app, topics));
    builder.build()
}

fn sums(account: &Account) -> [i64; 4] {
    [account.balance.get(), account.total_credited.get(), account.total_debited.get(), 0]
}

fn accounts(sub: &mut SubBuilder, app: &str, topics: &Topics) {
    // Ids are part of every key on disk and in the changelog: never changed, never reused.
    let accounts = sub.store(1, "accounts", U64Key, AccountCodec::new());
    let orders = sub.store(2, "orders", U64PairKey, OrderCodec::new());
    let references = sub.store(3, "references", ReferenceKeyCodec, ReferenceCodec::new());
    sub.hold_in_memory(&accounts);
    sub.tally(&accounts, AccountCodec::new(), &["balance", "total_credited", "total_debited"], sums);

    let events = sub.sink("account-events", &topics.accounts, UserKey, AccountEventSerde::new(app));
    sub.dead_letters("dead-letters", &topics.deadletter);

    let desk = Desk::new(accounts.clone(), events.clone());
    let order_processor = {
        let (desk, orders) = (desk.clone(), orders.clone());
        processor("order-processor", move || OrderProcessor::new(desk.clone(), orders.clone()))
    };
    let command_processor = {
        let references = references.clone();
        processor("command-processor", move || CommandProcessor::new(desk.clone(), references.clone()))
    };
    sub.source(
        SourceSpec::new("order-events", &[&topics.orders], RecordKey, OrderEventSerde)
            .value_bytes_max(VALUE_BYTES_MAX),
        order_processor.store(&accounts).store(&orders).sends_to(&events),
    );
    sub.source(
        SourceSpec::new("account-commands", &[&topics.commands], RecordKey, CommandEventSerde)
            .value_bytes_max(VALUE_BYTES_MAX),
        command_processor.store(&accounts).store(&references).sends_to(&events),
    );
}
