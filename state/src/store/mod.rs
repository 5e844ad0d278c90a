//! A task's database: open it, write to it, read its figures.

mod apply;
mod flush;
mod handle;
mod open;
mod properties;
mod restore;

pub use apply::Batch;
pub use handle::Store;
pub use open::{Found, Opened, set_aside};
pub use properties::Properties;
pub use restore::Restored;
