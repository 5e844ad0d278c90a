//! The advisory lock that keeps a second process out of a state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::DirectoryError;
use crate::place::Place;

/// Name of the lock file.
const NAME: &str = "lock";

/// Where Linux tells the host's name.
const HOST_FILE: &str = "/proc/sys/kernel/hostname";

/// Who holds the lock.
#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    pid: u32,
    host: String,
}

/// Holds the lock until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of `directory` and writes this process into it.
    pub(super) fn take(directory: &Path) -> Result<Self, DirectoryError> {
        let path = directory.join(NAME);
        // Not truncated before the lock is held: it names the owner.
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(DirectoryError::unwritable(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(refused(&path, &mut file)),
            Err(TryLockError::Error(source)) => return Err(DirectoryError::Unwritable { path, source }),
        }
        let owner = Owner { pid: std::process::id(), host: host() };
        write_owner(&mut file, &owner).map_err(DirectoryError::unwritable(&path))?;
        Ok(Self(file))
    }

    /// Says whether the file in `directory` is another one by now, or gone. A question that is not answered proves nothing.
    pub(super) fn is_gone(&self, directory: &Path) -> bool {
        Place::of(self.0.metadata()).is_gone(&directory.join(NAME))
    }
}

fn write_owner(file: &mut File, owner: &Owner) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(owner)?)?;
    file.flush()
}

fn refused(path: &Path, file: &mut File) -> DirectoryError {
    let mut text = String::new();
    // The owner may be about to write its name: then it is unknown, which changes nothing.
    let owner = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Owner>(&text).ok());
    let (pid, host) = match owner {
        Some(owner) => (owner.pid.to_string(), owner.host),
        None => ("?".to_owned(), "an unknown host".to_owned()),
    };
    DirectoryError::Locked { path: path.to_owned(), pid, host }
}

fn host() -> String {
    let named = std::fs::read_to_string(HOST_FILE).ok().or_else(|| std::env::var("HOSTNAME").ok());
    let named = named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    named.unwrap_or_else(|| "localhost".to_owned())
}
