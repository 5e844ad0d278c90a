//! The sink against a real Kafka and a real PostgreSQL.
//!
//! Addresses come from `MILLPOND_TEST_BROKERS` and `MILLPOND_TEST_POSTGRES`; every test has its own topics,
//! application id and database. The judge is [`expected`]: it reads the topics by itself and folds them plainly.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what went wrong by failing; clippy.toml excepts only functions marked as tests"
)]

mod backups;
mod bad_records;
mod cluster;
mod crashes;
mod cures;
mod database;
mod exactness;
mod expected;
mod full_disk;
mod generator;
mod locks;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/disk/mount.rs"]
mod mount;
mod outages;
mod own_postgres;
mod proxy;
mod rig;
mod schema;
#[allow(dead_code, unused_imports, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/support/mod.rs"]
mod support;
mod topic_ids;
