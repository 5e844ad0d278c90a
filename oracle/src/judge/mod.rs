//! The validation of an input record by itself, rule by rule as `docs/validation.md` numbers them.

mod fields;
mod payload;
mod record;

pub(crate) use record::{Candidate, judge};

#[cfg(test)]
mod tests;
