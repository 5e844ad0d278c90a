//! Tests of the state crate against a real RocksDB and real processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking, also in its helpers"
)]

mod child;
mod crash;
mod damage;
mod directory;
mod fixture;
mod lifecycle;
mod model;
mod refusal;
mod restore;
mod support;
