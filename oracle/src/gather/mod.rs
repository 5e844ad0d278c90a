//! What is read, in the order in which a running system must be read.
//!
//! Stores and the PostgreSQL snapshot first, then the changelog, then outputs, dead letters and inputs:
//! everything that an earlier source shows is then contained in the later ones, and the marker of each task
//! in the changelog is the cut through the inputs up to which everything must agree.

mod changelog;
mod cut;
mod everything;
mod inputs;
mod letters;
mod outputs;
mod snapshot;
mod store;

pub(crate) use changelog::{Changelog, Table};
pub(crate) use cut::Cut;
pub(crate) use everything::{Records, State, trimmed};
pub(crate) use letters::{Letter, Letters};
pub(crate) use snapshot::Snapshot;
pub(crate) use store::{Store, open_stores};
