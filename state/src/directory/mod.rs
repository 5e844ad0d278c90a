//! The state directory of one application on one instance.

mod atomic_file;
mod error;
mod instance;
mod lock;
mod state_dir;

pub use error::DirectoryError;
pub use state_dir::Directory;
