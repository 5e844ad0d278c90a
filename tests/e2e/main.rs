//! End-to-end tests: the built binary against a real Kafka and a real PostgreSQL.
//!
//! `./dev test` starts both and hands their addresses over (`MILLPOND_TEST_BROKERS`, `MILLPOND_TEST_POSTGRES`). Each test
//! has its own topics, application id, database and state directory.

#![allow(clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod support;

mod crash_points;
mod dead_owner;
mod disk;
mod exact;
mod failover;
mod handback;
mod idle_lag;
mod kills;
mod mutated;
mod owners;
mod poison;
mod refusals;
mod refused;
mod shutdown;
mod starts;
mod verify;
