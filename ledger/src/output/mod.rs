//! Outputs: the events of `account.events`, written as JSON straight into the producer's buffer.

mod event;
mod json;
mod serde;

pub use event::{AccountEvent, Cause, Outgoing, Subject};
pub use serde::{AccountEventSerde, UserKey};
