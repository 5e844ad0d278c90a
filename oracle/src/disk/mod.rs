//! The bytes of changelog, RocksDB and offset metadata, decoded by hand from `docs/formats.md`.

mod cursor;
mod marker;
mod metadata;
mod nonce;
mod rows;

pub(crate) use marker::{MARKER_KEY, Marker};
pub(crate) use metadata::{METADATA_KEY, Metadata};
pub(crate) use nonce::Nonce;
pub(crate) use rows::{
    ACCOUNTS, AccountRow, ORDERS, OrderOutcome, OrderRow, REFERENCES, ReferenceKind, ReferenceRow, RowKey,
};

#[cfg(test)]
use cursor::FormatError;

#[cfg(test)]
mod tests;
