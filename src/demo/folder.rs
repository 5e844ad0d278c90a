//! The demos' folder: one at a time works in it, and it remembers which demos there were.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::error::DemoError;
use super::identity::RunId;

/// The demos' folder, locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as the demo runs; the system lets go of it when the process ends.
    _lock: File,
}

impl Folder {
    /// Opens `<state_dir>/demo`, making it where it is missing.
    pub(super) fn open(state_dir: &Path) -> Result<Self, DemoError> {
        let path = state_dir.join("demo");
        let file_error = |path: &Path| {
            let path = path.to_owned();
            |source| DemoError::File { path, source }
        };
        fs::create_dir_all(&path).map_err(file_error(&path))?;
        // Children run elsewhere or by their own names: the path must hold from anywhere.
        let path = path.canonicalize().map_err(file_error(&path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(file_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DemoError::Busy { folder: path }),
            Err(TryLockError::Error(source)) => Err(DemoError::File { path: lock_path, source }),
        }
    }

    /// Returns the demos that have a folder here, oldest first.
    pub(super) fn earlier(&self) -> Result<Vec<RunId>, DemoError> {
        let file_error = |source| DemoError::File { path: self.path.clone(), source };
        let mut earlier = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(file_error)? {
            let name = entry.map_err(file_error)?.file_name();
            earlier.extend(name.to_str().and_then(RunId::parse));
        }
        earlier.sort();
        Ok(earlier)
    }

    /// Returns the path of a demo's folder, whether it is there or not.
    pub(super) fn path_of(&self, run: &RunId) -> PathBuf {
        self.path.join(run.as_str())
    }

    /// Makes the folder of a demo.
    pub(super) fn add(&self, run: &RunId) -> Result<(), DemoError> {
        let path = self.path_of(run);
        fs::create_dir(&path).map_err(|source| DemoError::File { path, source })
    }

    /// Deletes the folder of an earlier demo.
    pub(super) fn remove(&self, run: &RunId) -> Result<(), DemoError> {
        let path = self.path_of(run);
        fs::remove_dir_all(&path).map_err(|source| DemoError::File { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::Folder;
    use crate::demo::error::DemoError;
    use crate::demo::identity::RunId;

    #[test]
    fn earlier_demos_are_found_and_removed_and_nothing_else_is() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::open(state.path()).unwrap();
        let (first, second) = (RunId::new(0, 1), RunId::new(1_000, 2));
        folder.add(&second).unwrap();
        folder.add(&first).unwrap();
        std::fs::create_dir(state.path().join("demo/mine")).unwrap();
        assert_eq!(folder.earlier().unwrap(), [first.clone(), second.clone()]);
        folder.remove(&first).unwrap();
        assert_eq!(folder.earlier().unwrap(), [second]);
        assert!(state.path().join("demo/mine").exists());
    }

    #[test]
    fn one_demo_at_a_time() {
        let state = tempfile::tempdir().unwrap();
        let first = Folder::open(state.path()).unwrap();
        assert!(matches!(Folder::open(state.path()), Err(DemoError::Busy { .. })));
        drop(first);
        assert!(Folder::open(state.path()).is_ok());
    }
}
