//! The series that Prometheus reads, and the handles that the engine's threads keep.
//!
//! Labelled children are resolved once, when a thread, task or partition is set up: the hot path adds to an
//! atomic
//! and looks nothing up. Times are in seconds, sizes in bytes, and no label is an account.

mod buckets;
mod dead_letters;
mod family;
mod ledger;
mod lifecycle;

mod partition;
mod registry;
mod restore;
mod rocksdb;
mod thread;
mod topic;
mod transaction;

pub use dead_letters::DeadLetterMetrics;
pub use ledger::LedgerMetrics;
pub use lifecycle::{InstanceState, LifecycleMetrics, TaskCount, TaskPhase};
pub use partition::{PartitionMetrics, SourceSample};
pub use registry::{About, Metrics, render};
pub use restore::RestoreMetrics;
pub use rocksdb::{RocksdbMetrics, StoreSample};
pub use thread::{Dropped, Spent, ThreadMetrics};
pub use topic::{Direction, TopicMetrics};
pub use transaction::{RecycleReason, TransactionMetrics, TransactionOutcome};
