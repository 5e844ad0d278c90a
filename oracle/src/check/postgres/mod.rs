//! PostgreSQL against the outputs that the sink has read.

mod accounts;
mod events;
mod merge;
mod sink;
mod tables;

pub(crate) use sink::{Ends, check_sink};
pub(crate) use tables::check_postgres;
