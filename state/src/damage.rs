//! Damage that was found while a store was in use, noted in its folder so that the next open refuses it.
//!
//! RocksDB checks a block when it reads it, not when it opens the database: without the note a store with a damaged
//! block would be opened again and again, and fail again at the same record.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Name of the file; RocksDB leaves files alone whose names it does not know.
const NAME: &str = "DAMAGED";

/// Notes that `database` is damaged, as RocksDB says in `message`.
///
/// Where even this cannot be written the damage is found anew after the next open.
pub(crate) fn note(database: &Path, message: &str) {
    let noted = File::create(database.join(NAME)).and_then(|mut file| {
        file.write_all(message.as_bytes())?;
        file.sync_all()
    });
    drop(noted);
}

/// Returns what was noted.
///
/// # Errors
/// The system's answer, unless it is that nothing is there.
pub(crate) fn noted(database: &Path) -> io::Result<Option<String>> {
    match fs::read(database.join(NAME)) {
        Ok(message) => Ok(Some(String::from_utf8_lossy(&message).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
