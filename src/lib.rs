//! Kafka Streams for Rust: stateful, partitioned, exactly-once stream processing on Apache Kafka, with RocksDB state and
//! exactly-once results in PostgreSQL.
//!
//! A topology of one's own is built with [`topology`] and run with [`runtime::Streams`]; `README.md` has a whole one.
//! The binary's applications are in [`app`].

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod http;
pub mod kafka;
pub mod load;
pub mod metrics;
pub mod runtime;
pub mod sink;
pub mod telemetry;
pub mod topics;
pub mod transactions;

pub use millpond_topology as topology;
