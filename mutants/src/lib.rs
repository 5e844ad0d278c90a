//! Named wrong variants of the protocol, each with one protecting rule switched off.
//!
//! A rule without a test that fails when the rule is gone is a hope. The code asks [`is`] at the one place where a rule is
//! kept; a test chooses a variant, for the whole process by the environment ([`VARIABLE`], read by [`from_environment`]) or
//! for its own thread by [`choose`], and must then see the oracle fail. Without the feature `enabled` nothing can be chosen
//! and every [`is`] is the constant `false`.

mod list;
mod switch;

pub use list::{Mutant, Unknown};
pub use switch::{VARIABLE, choose, from_environment, is};
