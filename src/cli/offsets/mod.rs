//! `millpond offsets show`: how far the inputs are read, in words that know about transaction markers.

mod command;
mod query;
mod row;

pub(super) use command::OffsetsCommand;
pub(super) use command::run;
