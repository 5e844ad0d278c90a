//! The load generator: seeded deposits, orders and bad records, and the producer that writes them.
//!
//! What is written is decided by [`Generator`], which is pure: the same options, seed and timestamps give the same
//! bytes. When it is written is decided by [`Pace`]; how, by [`Feed`].

mod args;
mod bad;
mod command;
mod damage;
mod error;
mod event;
mod feed;
mod generator;
mod life;
mod meter;
mod mutation;
mod options;
mod others;
mod pace;
mod producer;
mod progress;
mod random;
mod record;
mod sent;
mod stamp;
mod summary;
mod target;
mod zipf;

pub use args::LoadArgs;
pub use bad::BadKind;
pub use command::run;
pub use error::LoadError;
pub use feed::{Feed, Phase};
pub use generator::Generator;
pub use meter::Meter;
pub use options::{Mix, Options};
pub use others::OtherKind;
pub use pace::Pace;
pub use producer::Transactions;
pub use random::Random;
pub use record::{Kind, Record, Stream};
pub use stamp::{Civil, rfc3339};
pub use summary::Summary;
pub use target::Target;

#[cfg(test)]
mod kafka_tests;
