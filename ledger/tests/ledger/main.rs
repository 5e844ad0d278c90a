//! The ledger as a whole, run by the topology's test driver and by a task of its own, against an independent
//! model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking, in its helpers too"
)]

mod bad_input;
mod bench;
mod compare;
mod controls;
mod edges;
mod golden;
mod input;
#[cfg(target_arch = "x86_64")]
mod instructions;
mod interleaved;
mod limits;
mod model;
mod run;
mod sequences;
