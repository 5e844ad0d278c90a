//! The classic group protocol as a pure state machine: bytes and time in, bytes and events out.

mod answers;
mod asking;
mod flow;
mod leader;
mod standing;
mod state;
mod stopping;
#[cfg(test)]
mod tests;

pub use flow::Machine;
pub use standing::REMEMBERED_GENERATIONS;
pub use state::{Action, Input, InputKind, Refused, StateKind};
