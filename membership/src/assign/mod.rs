//! Who gets which task: the contract, the rules no assignor may break, and the sticky one.

mod assignor;
#[cfg(test)]
mod model_tests;
mod sticky;

pub use assignor::{Assignor, Candidate, Group, Placement, owners};
pub(crate) use assignor::{Unclaimed, enforce};
pub use sticky::Sticky;
