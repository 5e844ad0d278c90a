//! RocksDB stores and their recovery, without Kafka.
//!
//! One database per task holds its stores, the marker of its last transaction and the metadata that says up
//! to which changelog offset it is complete. All three change in one write batch with the WAL off, so
//! whatever survives a crash is a prefix of the committed transactions, and the metadata inside says which.
//! Bytes: `docs/formats.md`.

mod damage;
mod directory;
mod error;
mod identity;
mod key;
mod metadata;
mod options;
mod place;
mod reader;
mod shared;
mod store;

pub use directory::{Directory, DirectoryError};
pub use error::{OpenError, StorageError, is_corruption};
pub use identity::{Identity, Mismatch, StoreIdentity};
pub use key::METADATA_KEY;
pub use metadata::{Metadata, is_stale};
pub use reader::Reader;
pub use shared::{Budget, Shared, Usage};
pub use store::{Batch, Found, Opened, Properties, Restored, Store, set_aside};
