//! Fault tests: the built binary behind a proxy that breaks its connections to Kafka, judged by the oracle.
//!
//! Each scenario proves that its fault hit; else it is void, not passed. R1, R2, R3, the nonce and the offsets have
//! a control: the same scenario with the rule switched off (`MILLPOND_MUTANT`), which the oracle or the program itself must
//! notice; docs/reliability.md names what notices the others. `./dev test` starts the servers and hands their addresses
//! over.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail by panicking"
)]

#[path = "../support/cluster/mod.rs"]
mod cluster;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/disk/mount.rs"]
mod mount;
#[allow(dead_code, reason = "shared with the sink's tests, which use more of it")]
#[path = "../sink/own_postgres.rs"]
mod own_postgres;
#[allow(dead_code, reason = "shared by test binaries, each of which uses its part")]
#[path = "../support/proxy/mod.rs"]
mod proxy;
#[allow(dead_code, unused_imports, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/support/mod.rs"]
mod support;

mod brokers;
mod end_txn;
mod half_open;
mod join;
mod late;
mod lost_ends;
mod proxy_itself;
mod rig;
mod torture;
mod unanswered;
mod unreachable;
