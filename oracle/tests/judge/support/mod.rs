//! A tiny writer of its own: what the ledger would have written, put together by hand.

pub(crate) mod bytes;
pub(crate) mod draft;
pub(crate) mod kafka;
pub(crate) mod postgres;
pub(crate) mod rows;
pub(crate) mod small;
pub(crate) mod stores;
pub(crate) mod world;
