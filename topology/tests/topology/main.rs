//! The topology crate from outside: builder, description, task and test driver.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking, in its helpers too"
)]

mod connections;
mod controls;
mod dead_letters;
mod describe;
mod driver;
mod inputs;
mod model;
mod punctuators;
mod scans;
mod support;
mod tallies;
mod transaction;
mod undo;
mod validation;
