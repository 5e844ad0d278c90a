//! `millpond demo`: orders in, a process killed in the middle of them, and the proof that nothing was lost or doubled.
//!
//! [`run`] tells the story; whatever decides something (when to kill, when it is drained, what a figure means) is a
//! pure value in a file of its own, and whatever was started ends with the value that stands for it.

mod args;
mod child;
mod claims;
mod cleanup;
mod database;
mod drain;
mod drive;
mod environment;
mod error;
mod evidence;
mod folder;
mod history;
mod http;
mod identity;
mod interrupt;
mod kill;
mod letters;
mod loader;
mod metrics;
mod offsets;
mod plan;
mod proof;
mod run;
mod screen;
mod status;
mod watch;

pub use args::DemoArgs;
pub use error::DemoError;
pub use run::run;
