//! The ledger: orders and account commands in, balances kept, account events out; all money provably
//! conserved.
//!
//! Pure: no clock, thread, file or socket. [`topology`] returns the application, to be run by the engine or
//! by `millpond_topology::TestDriver`. What each input does is written in `docs/validation.md`, the bytes of
//! the stores in `docs/formats.md`.

mod counter;
mod decimal;
mod ids;
mod input;
mod json;
mod money;
mod output;
mod processor;
mod reason;
mod state;
mod time;
mod topology;

pub use counter::COUNTERS;
pub use ids::{OrderId, UserId};
pub use input::{
    AccountReason, CommandEvent, CommandEventSerde, OrderEvent, OrderEventSerde, RecordKey, VALUE_BYTES_MAX,
};
pub use money::{Amount, Currency, Fen, Overflow};
pub use output::{AccountEvent, AccountEventSerde, Cause, Outgoing, Subject, UserKey};
pub use reason::{DeadLetter, DebitFailure, Rejection};
pub use state::{
    Account, AccountCodec, OrderCodec, OrderOutcome, OrderRecord, Reference, ReferenceCodec, ReferenceKey,
    ReferenceKeyCodec, ReferenceKind, Status,
};
pub use time::{is_rfc3339, push_rfc3339_ms};
pub use topology::{DEFAULT_APP_ID, SUB_TOPOLOGY, Topics, topology};
