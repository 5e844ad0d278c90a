//! Inputs: from bytes to events that mean something, or to the one reason why not.
//!
//! The order of the checks is law (`docs/validation.md`, section 1): the first that fails names the reason.

mod command;
mod document;
mod fault;
mod fields;
mod items;
mod key;
mod order;
#[cfg(test)]
mod tests;

pub use command::{AccountReason, CommandEvent, CommandEventSerde};
pub use key::RecordKey;
pub use order::{OrderEvent, OrderEventSerde};

/// Longest value that the ledger accepts, bytes. An order with 1,000 items fits; a processor never scans
/// more.
pub const VALUE_BYTES_MAX: usize = 65_536;
