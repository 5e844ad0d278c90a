//! Opening a task's database, and setting a damaged one aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use millpond_topology::{CHANGELOG_MARKER_KEY, CodecError, Marker};
use rocksdb::{DB, ErrorKind, IteratorMode, ReadOptions, WriteOptions};

use super::handle::{Phase, Store};
use crate::damage;
use crate::error::OpenError;
use crate::identity::Identity;
use crate::key::METADATA_KEY;
use crate::metadata::Metadata;
use crate::options;
use crate::place::Place;
use crate::reader::Database;
use crate::shared::Shared;

/// Name of the database inside a task's directory.
const DATABASE: &str = "db";

/// RocksDB's file that names the manifest in use.
const CURRENT: &str = "CURRENT";

/// A store and what it held when it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What was found.
    pub found: Found,
}

/// What a store held when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one per opened store")]
pub enum Found {
    /// Nothing: the database is new, or a crash came before its first flush.
    Fresh,
    /// State of the same task.
    Existing {
        /// The metadata as read from disk.
        metadata: Metadata,
        /// The marker; none when an interrupted restore has not come to it.
        marker: Option<Marker>,
    },
}

impl Store {
    /// Opens the database of a task in `task_dir`, or creates it. Nothing is ever wiped.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] when it is damaged: [`set_aside`] and open again; everything else is for a
    /// person to cure.
    pub fn open(task_dir: &Path, identity: &Identity, shared: &Shared) -> Result<Opened, OpenError> {
        let path = task_dir.join(DATABASE);
        prepare(&path)?;
        let db = DB::open(&options::database(shared), &path).map_err(|error| failed(&path, error))?;
        let found = read_found(&db, &path)?;
        let (metadata, phase) = match &found {
            Found::Fresh => (Metadata::of(identity), Phase::Fresh),
            Found::Existing { metadata, .. } => {
                let mismatch = |source| OpenError::Mismatch { path: path.clone(), source };
                identity.check(metadata).map_err(mismatch)?;
                // Stores added since are part of it from the next write on.
                (Metadata { stores: identity.stores.clone(), ..metadata.clone() }, Phase::Restoring)
            }
        };
        let database = Database { db, read: ReadOptions::default(), poisoned: AtomicBool::new(false) };
        let mut write = WriteOptions::default();
        // Kafka's changelog is the log; a second one would only double the writes.
        write.disable_wal(true);
        let store = Store {
            database: Arc::new(database),
            place: Place::of(fs::metadata(&path)),
            path,
            write,
            metadata,
            phase,
            rows_since_flush: 0,
            unflushed: false,
            poisoned_by: None,
            scratch: Vec::new(),
            batch_bytes: 0,
        };
        Ok(Opened { store, found })
    }
}

/// Creates the directory, and refuses one that was found to be damaged, or whose `CURRENT` is missing beside tables
/// (RocksDB would take it for an empty directory, create a new database in it and delete the tables) or names a
/// manifest that is missing (for RocksDB a file that is not there, not damage).
fn prepare(path: &Path) -> Result<(), OpenError> {
    let directory = |source| OpenError::Directory { path: path.to_owned(), source };
    let corrupt = |message: String| OpenError::Corrupt { path: path.to_owned(), message };
    fs::create_dir_all(path).map_err(directory)?;
    if let Some(message) = damage::noted(path).map_err(directory)? {
        return Err(corrupt(format!("noted when it was in use: {message}")));
    }
    if path.join(CURRENT).try_exists().map_err(directory)? {
        let manifest = fs::read(path.join(CURRENT)).map_err(directory)?;
        let damaged = |_| corrupt(format!("the file {CURRENT} holds no name"));
        let manifest = String::from_utf8(manifest).map_err(damaged)?;
        let manifest = manifest.trim();
        let is_there = manifest.is_empty() || path.join(manifest).try_exists().map_err(directory)?;
        let missing = || corrupt(format!("the file {manifest}, which CURRENT names, is missing"));
        return if is_there { Ok(()) } else { Err(missing()) };
    }
    for entry in fs::read_dir(path).map_err(directory)? {
        let name = entry.map_err(directory)?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "sst") {
            return Err(corrupt(format!("the file CURRENT is missing beside {}", name.display())));
        }
    }
    Ok(())
}

fn read_found(db: &DB, path: &Path) -> Result<Found, OpenError> {
    let format = |source: CodecError| OpenError::Format { path: path.to_owned(), source };
    let get = |key: &[u8]| db.get(key).map_err(|error| failed(path, error));
    let Some(metadata) = get(&METADATA_KEY)? else {
        return match db.iterator(IteratorMode::Start).next() {
            None => Ok(Found::Fresh),
            Some(Ok(_)) => Err(OpenError::Foreign { path: path.to_owned() }),
            Some(Err(error)) => Err(failed(path, error)),
        };
    };
    let metadata = Metadata::decode(&metadata).map_err(format)?;
    let marker = get(&CHANGELOG_MARKER_KEY)?;
    let marker = marker.map(|bytes| Marker::decode(&bytes)).transpose().map_err(format)?;
    Ok(Found::Existing { metadata, marker })
}

fn failed(path: &Path, error: rocksdb::Error) -> OpenError {
    let (path, kind, message) = (path.to_owned(), error.kind(), error.into_string());
    match kind {
        ErrorKind::Corruption => OpenError::Corrupt { path, message },
        _ => OpenError::Storage { path, message },
    }
}

/// Renames the database of `task_dir` to `db.aside-<wall_ms>` and returns its new path. It is never deleted.
///
/// `wall_ms` is the wall clock, ms since the epoch; a name already taken is counted up. The store must be
/// closed.
///
/// # Errors
/// The system's answer to the rename.
pub fn set_aside(task_dir: &Path, wall_ms: i64) -> io::Result<PathBuf> {
    let aside = (wall_ms..)
        .map(|at| task_dir.join(format!("{DATABASE}.aside-{at}")))
        .find(|path| !path.exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(task_dir.join(DATABASE), &aside)?;
    fs::File::open(task_dir)?.sync_all()?;
    Ok(aside)
}
