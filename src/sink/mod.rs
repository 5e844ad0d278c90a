//! Exactly-once writer of the committed output topics into PostgreSQL.
//!
//! ```text
//! Kafka ──▶ reader thread ──▶ inbox per writer ──▶ writer task ──▶ one database transaction per batch
//!             ▲   (bounded)        (bounded)         │                 1. compare-and-swap of sink_offsets
//!             └── seek, assign, release ◀────────────┘                 2. rows by UNNEST
//!                                                                      3. COMMIT
//! ```
//!
//! **The row in `sink_offsets` is the only truth about what was written.** It moves by compare-and-swap in the
//! transaction that carries the rows, so a batch counts once, whoever else believes to own the partition and
//! however often the reply to a COMMIT is lost. Group offsets in Kafka follow for dashboards only.
//!
//! Deliberately absent: `ON CONFLICT DO NOTHING` on rows (it would hide a bug), `pause()` (it throws fetched
//! records away), COPY, two-phase commit.

mod acquire;
mod backoff;
mod batch;
mod class;
mod connection;
mod dead_letter;
mod event;
mod failure;
mod flush;
mod fold;
mod handle;
mod inbox;
mod kinds;
mod metrics;
mod migrate;
mod offsets;
mod reader;
mod rows;
mod settings;
mod shared;
mod statements;
mod status;
mod topic_ids;
mod transaction;
mod watch;
mod writer;

pub use failure::Failure;
pub use handle::{Handle, ShutdownError, Sink, SpawnError, Target};
pub use migrate::{Applied, MigrateError, Report, SchemaError, check_schema, migrate};
pub use settings::Settings;
pub use status::{PartitionStatus, State, Status};
pub use topic_ids::{TopicId, TopicIds, TopicIdsError};
