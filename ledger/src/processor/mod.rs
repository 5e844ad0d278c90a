//! The two processors: what each input does to accounts, orders and references.

mod commands;
mod desk;
mod orders;

pub(crate) use commands::CommandProcessor;
pub(crate) use desk::Desk;
pub(crate) use orders::OrderProcessor;
