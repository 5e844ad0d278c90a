//! What the configuration takes from the membership crate, without the group protocol's thousands of generated lines.
#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../../../membership/src/role.rs"]
mod role;
#[path = "../../../membership/src/settings.rs"]
mod settings;

pub use role::{Role, Roles};
pub use settings::{HostPort, SettingsError};
