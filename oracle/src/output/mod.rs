//! Reading the output topic: the envelope is judged by itself, the event is kept for the fold.

mod envelope;
mod payload;

pub(crate) use envelope::{Identity, OutputRecord, read};

#[cfg(test)]
mod tests;
