//! Opens the RocksDB of every task that an instance keeps, read-only, also while its owner writes.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rocksdb::{DB, Options};

use crate::disk::{MARKER_KEY, METADATA_KEY, Marker, Metadata};
use crate::error::OracleError;
use crate::target::Target;

/// A live owner may delete a file between our reading of the manifest and our opening of it.
const OPEN_ATTEMPTS: u32 = 10;

/// An opened store.
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) db: DB,
    /// Marker with its bytes; `None` when a restore was given up before one came.
    pub(crate) marker: Option<(Vec<u8>, Marker)>,
    pub(crate) metadata: Metadata,
}

impl Store {
    /// Returns the sequence of its marker; 0, which no marker has, without one.
    pub(crate) fn sequence(&self) -> u64 {
        self.marker.as_ref().map_or(0, |(_, marker)| marker.sequence)
    }
}

/// What lies in a state directory.
pub(crate) enum Found {
    Store(Box<Store>),
    /// A store that cannot be understood, and why.
    Unreadable(PathBuf, String),
}

/// Opens all stores of the target's sub-topology.
pub(crate) fn open_stores(target: &Target) -> Result<Vec<Found>, OracleError> {
    let mut stores = Vec::new();
    for dir in &target.state_dirs {
        for path in databases(dir)? {
            match read_heads(&path, open(&path)?)? {
                // Nothing was flushed yet: the store is empty, which is a prefix of everything.
                None => {}
                Some(Found::Store(store)) if store.metadata.subtopology != target.subtopology => {}
                Some(found) => stores.push(found),
            }
        }
    }
    Ok(stores)
}

/// Lists `<task id>/db` below `dir`, in name order.
fn databases(dir: &Path) -> Result<Vec<PathBuf>, OracleError> {
    let failed = |source| OracleError::StateDir { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path().join("db");
        if is_task_id(&entry.file_name().to_string_lossy()) && path.join("CURRENT").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_task_id(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    name.split_once('_').is_some_and(|(group, partition)| is_number(group) && is_number(partition))
}

fn open(path: &Path) -> Result<DB, OracleError> {
    let mut options = Options::default();
    // All files are opened at once, so that the owner may delete them while we read.
    options.set_max_open_files(-1);
    for attempt in 1.. {
        match DB::open_for_read_only(&options, path, false) {
            Ok(db) => return Ok(db),
            Err(_) if attempt < OPEN_ATTEMPTS => sleep(Duration::from_millis(100)),
            Err(source) => return Err(OracleError::Store { path: path.to_owned(), source }),
        }
    }
    unreachable!("the loop above has no end but its returns")
}

fn read_heads(path: &Path, db: DB) -> Result<Option<Found>, OracleError> {
    let get = |key: &[u8]| db.get(key).map_err(|source| OracleError::Store { path: path.to_owned(), source });
    let Some(metadata) = get(&METADATA_KEY)? else {
        let is_empty = db.iterator(rocksdb::IteratorMode::Start).next().is_none();
        let why = "metadata is absent".to_owned();
        return Ok((!is_empty).then(|| Found::Unreadable(path.to_owned(), why)));
    };
    let decoded = |bytes: Vec<u8>| Marker::decode(&bytes).map(|marker| (bytes, marker));
    let found = match (get(&MARKER_KEY)?.map(decoded).transpose(), Metadata::decode(&metadata)) {
        (Ok(marker), Ok(metadata)) => {
            Found::Store(Box::new(Store { path: path.to_owned(), db, marker, metadata }))
        }
        (Err(error), _) => Found::Unreadable(path.to_owned(), format!("marker: {error}")),
        (_, Err(error)) => Found::Unreadable(path.to_owned(), format!("metadata: {error}")),
    };
    Ok(Some(found))
}
