//! Whether the folder of a database is still the one that it was opened in.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode of a folder; `None` where they could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(Option<(u64, u64)>);

impl Place {
    /// Returns which folder `path` names now.
    pub(super) fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|found| (found.dev(), found.ino())))
    }

    /// Says whether `path` names another folder by now, or none. A question that is not answered proves nothing.
    pub(super) fn is_gone(self, path: &Path) -> bool {
        match (self.0, fs::metadata(path)) {
            (Some(held), Ok(found)) => held != (found.dev(), found.ino()),
            (Some(_), Err(error)) => error.kind() == ErrorKind::NotFound,
            (None, _) => false,
        }
    }
}
