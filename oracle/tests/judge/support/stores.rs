//! RocksDB as an instance would have flushed it.

use std::path::Path;

use rocksdb::{DB, Options, WriteBatch, WriteOptions};

/// Writes a store: all keys in one batch without WAL, then a flush.
pub(crate) fn write(dir: &Path, task: &str, rows: &[(Vec<u8>, Vec<u8>)]) {
    let path = dir.join(task).join("db");
    std::fs::create_dir_all(&path).unwrap();
    let mut options = Options::default();
    options.create_if_missing(true);
    let db = DB::open(&options, path).unwrap();
    let mut batch = WriteBatch::default();
    rows.iter().for_each(|(key, value)| batch.put(key, value));
    let mut without_wal = WriteOptions::default();
    without_wal.disable_wal(true);
    db.write_opt(batch, &without_wal).unwrap();
    db.flush().unwrap();
}

/// Overwrites or deletes one key of a store.
pub(crate) fn spoil(dir: &Path, task: &str, key: &[u8], value: Option<&[u8]>) {
    let db = DB::open(&Options::default(), dir.join(task).join("db")).unwrap();
    match value {
        Some(value) => db.put(key, value).unwrap(),
        None => db.delete(key).unwrap(),
    }
    db.flush().unwrap();
}

/// Opens a store as its owner does, with rows in memory that are not flushed.
pub(crate) fn hold(dir: &Path, task: &str) -> DB {
    let db = DB::open(&Options::default(), dir.join(task).join("db")).unwrap();
    let mut without_wal = WriteOptions::default();
    without_wal.disable_wal(true);
    db.put_opt(b"\x00\x01unflushed", b"\x01", &without_wal).unwrap();
    db
}
