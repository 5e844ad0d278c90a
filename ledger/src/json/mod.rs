//! A strict JSON scanner (RFC 8259): one pass over borrowed bytes, no tree, no allocation for ordinary input.
//!
//! It is written by hand because the reasons of a dead letter must be exact and the same for the whole text,
//! ignored fields included: duplicate keys anywhere, NUL escapes anywhere, depth, and numbers as they were
//! written.

mod keys;
mod scanner;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use scanner::{NotJson, Scanner, Token};
pub(crate) use text::Text;
