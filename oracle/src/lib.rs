//! The independent judge of millpond.
//!
//! Reads Kafka, RocksDB (read-only) and PostgreSQL by itself, folds the input by the recorded order and
//! compares. It shares no code with what it judges: formats come from `docs/formats.md`, rules from
//! `docs/validation.md`, and the decoders are written by hand, so that a bug in a codec cannot cancel itself
//! out.

mod check;
mod code;
mod disk;
mod error;
mod event;
mod fingerprint;
mod fold;
mod gather;
mod json;
mod judge;
mod judgement;
mod kafka;
mod murmur2;
mod output;
mod place;
mod postgres;
mod report;
mod target;
mod time;
mod verify;

pub use error::OracleError;
pub use report::{Check, Outcome, Report};
pub use target::{Target, Topics};
pub use verify::verify;
