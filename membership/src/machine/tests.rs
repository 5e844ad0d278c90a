//! The machine against answers written by `kafka-protocol`, an encoder that is not ours.

mod controls;
mod ownership;
mod script;
mod table;
mod trouble;
