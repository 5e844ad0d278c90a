//! The configuration: one typed tree, read once from defaults, file, environment and flags.
//!
//! [`load`] merges the layers and checks the result; [`Loaded`] also remembers which layer set each value.

mod check;
mod denied;
mod error;
mod key;
mod layer;
mod load;
mod origin;
mod raw;
mod secrecy;
mod setting;
mod show;
mod suggest;
mod tree;
mod value;

use secrecy::is_secret;

pub use error::{ConfigError, Finding, Problem};
pub use key::{KEYS, Key};
pub use load::{Loaded, Sources, load};
pub use origin::Origin;
pub use raw::RawSettings;
pub(crate) use setting::Setting;
pub use show::Shown;
pub use tree::{
    App, Changelog, Commit, Config, Fetch, Http, Instance, Kafka, Members, OnPoison, Postgres, Shutdown,
    Sink, Start, State, Timestamp, Topic, Topics, Transaction,
};
pub use value::{
    Backend, Brokers, CommitMode, Leave, Period, Poison, Replication, RoleSet, Secret, Size, Threads,
    TrimmedInput,
};
