//! The topics that an application needs: what they should be, what they are, and creating those that are
//! missing.
//!
//! **Nothing here alters or deletes a topic.** What differs is reported with the command that cures it.

mod admin;
mod compare;
mod error;
mod prepare;
mod wanted;

pub use admin::Admin;
pub use compare::{Difference, Found, Severity, compare};
pub use error::TopicsError;
pub use prepare::{Survey, Surveyed, ensure, preflight, survey};
pub use wanted::{Kind, Wanted, wanted};
