//! Whether a path still names the file or folder that it named.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode; `None` where they could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(Option<(u64, u64)>);

impl Place {
    /// Returns the place of what `found` was asked of.
    pub(crate) fn of(found: io::Result<Metadata>) -> Self {
        Self(found.ok().map(|found| (found.dev(), found.ino())))
    }

    /// Says whether `path` names another one by now, or none. A question that is not answered proves nothing.
    pub(crate) fn is_gone(self, path: &Path) -> bool {
        match (self.0, fs::metadata(path)) {
            (Some(held), Ok(found)) => held != (found.dev(), found.ino()),
            (Some(_), Err(error)) => error.kind() == ErrorKind::NotFound,
            (None, _) => false,
        }
    }
}
