//! The other bytes that outlive a process: a store's metadata, the nonce in the offset metadata, task ids as directory names,
//! and times; each has one form, and the oracle reads the same.
//!
//! Input: a byte that says which, then the bytes.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../state/src/identity.rs"]
mod identity;
#[path = "../../state/src/metadata.rs"]
mod metadata;
#[path = "../../src/engine/nonce.rs"]
mod nonce;

use libfuzzer_sys::fuzz_target;
use millpond_topology::{CodecError, TaskId};

fuzz_target!(|data: &[u8]| {
    let [which, bytes @ ..] = data else { return };
    match which % 4 {
        0 => of_metadata(bytes),
        1 => std::str::from_utf8(bytes).map_or((), of_nonce),
        2 => std::str::from_utf8(bytes).map_or((), of_task_id),
        _ => std::str::from_utf8(bytes).map_or((), of_time),
    }
});

fn of_metadata(bytes: &[u8]) {
    let judged = millpond_fuzz_judge::metadata(bytes);
    match metadata::Metadata::decode(bytes) {
        Ok(found) => {
            let mut again = Vec::new();
            found.encode(&mut again);
            assert_eq!(again, bytes, "one metadata record has one encoding");
            assert!(metadata::Metadata::decode(&bytes[..bytes.len() - 1]).is_err());
            let _ = metadata::is_stale(&found, i64::MIN, i64::MAX);
            assert_eq!(judged, Some((found.app, found.position)));
        }
        Err(CodecError::UnknownVersion { found, .. }) => assert!(found != 1 && judged.is_none()),
        Err(CodecError::Malformed { .. }) => assert_eq!(judged, None),
    }
}

fn of_nonce(text: &str) {
    let judged = millpond_fuzz_judge::nonce(text);
    match text.parse::<nonce::Nonce>() {
        Ok(found) => {
            assert_eq!(found.to_string(), text, "one nonce has one form");
            assert_eq!(judged, Some((found.sequence, found.attempt.into(), found.transactional_id)));
        }
        // The oracle takes what no producer writes: leading zeros, attempts beyond 32 bits.
        Err(error) => assert_eq!(error.0, text),
    }
}

fn of_task_id(text: &str) {
    if let Ok(id) = text.parse::<TaskId>() {
        assert_eq!(id.to_string(), text, "one task has one directory");
    }
}

fn of_time(text: &str) {
    assert_eq!(millpond_ledger::is_rfc3339(text), millpond_fuzz_judge::is_time(text), "{text:?}");
}
