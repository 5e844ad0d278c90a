//! The kinds of values that keys have; each reads itself from text and shows itself as the same text.

mod brokers;
mod choice;
mod period;
mod replication;
mod roles;
mod secret;
mod size;
mod threads;

pub use brokers::Brokers;
pub use choice::{Backend, CommitMode, Leave, Poison, TrimmedInput};
pub use period::Period;
pub use replication::Replication;
pub use roles::RoleSet;
pub(super) use secret::REDACTED;
pub use secret::Secret;
pub use size::Size;
pub use threads::Threads;
