//! The invariants, one per file.

mod folded;
mod money;
mod offsets;
mod postgres;
mod stores;
mod tallies;
mod title;
mod topics;

pub(crate) use folded::{Folded, check_folded};
pub(crate) use money::check_money;
pub(crate) use offsets::{Progress, check_offsets};
pub(crate) use postgres::{Ends, check_postgres, check_sink};
pub(crate) use stores::check_stores;
pub(crate) use tallies::check_tallies;
pub(crate) use title::*;
pub(crate) use topics::check_transactions;
