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

mod bad_records;
mod cluster;
mod cures;
mod database;
mod exactness;
mod expected;
mod generator;
mod outages;
mod own_postgres;
mod proxy;
mod rig;
mod schema;
mod topic_ids;
