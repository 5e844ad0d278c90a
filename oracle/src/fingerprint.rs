//! Fingerprints of bytes that need only be compared, so that memory stays bounded.

use rdkafka::message::Headers;
use sha2::{Digest, Sha256};

/// SHA-256 of something.
pub(crate) type Digest32 = [u8; 32];

/// Headers that millpond writes on dead letters; whatever the original had under these names is replaced.
const RESERVED_PREFIXES: [&str; 2] = ["__streams.errors.", "x-dlq-"];

/// Returns the digest of bytes that may be absent; an absent value differs from an empty one.
pub(crate) fn of_bytes(bytes: Option<&[u8]>) -> Digest32 {
    let mut hash = Sha256::new();
    add(&mut hash, bytes);
    hash.finalize().into()
}

/// Returns the SHA-256 of the bytes alone, as 64 lower case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the digest of all headers in order, without those that a dead letter replaces.
pub(crate) fn of_original_headers(headers: Option<&impl Headers>) -> Digest32 {
    let mut hash = Sha256::new();
    for header in headers.iter().flat_map(|headers| headers.iter()) {
        if !RESERVED_PREFIXES.iter().any(|prefix| header.key.starts_with(prefix)) {
            add(&mut hash, Some(header.key.as_bytes()));
            add(&mut hash, header.value);
        }
    }
    hash.finalize().into()
}

/// Returns the digest of the last `traceparent`; `None` without one, or when it is null.
pub(crate) fn of_trace(headers: Option<&impl Headers>) -> Option<u64> {
    let last = headers?.iter().filter(|header| header.key == "traceparent").last()?;
    of_bytes(Some(last.value?)).first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}

fn add(hash: &mut Sha256, bytes: Option<&[u8]>) {
    match bytes {
        None => hash.update([0]),
        Some(bytes) => {
            hash.update([1]);
            hash.update(bytes.len().to_le_bytes());
            hash.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{hex, of_bytes, of_original_headers, of_trace};
    use rdkafka::message::{Header, OwnedHeaders};

    fn headers(all: &[(&str, Option<&str>)]) -> OwnedHeaders {
        all.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: value.map(str::as_bytes) })
        })
    }

    #[test]
    fn absent_differs_from_empty() {
        assert_ne!(of_bytes(None), of_bytes(Some(b"")));
        assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn original_headers_are_compared_in_order_without_the_reserved_ones() {
        let original = headers(&[("a", Some("1")), ("b", None), ("x-dlq-app", Some("old"))]);
        let letter = headers(&[("a", Some("1")), ("b", None), ("__streams.errors.topic", Some("t"))]);
        let swapped = headers(&[("b", None), ("a", Some("1"))]);
        let emptied = headers(&[("a", Some("1")), ("b", Some(""))]);
        let digest = |headers: &OwnedHeaders| of_original_headers(Some(headers));
        assert_eq!(digest(&original), digest(&letter));
        assert_ne!(digest(&original), digest(&swapped));
        assert_ne!(digest(&original), digest(&emptied));
    }

    #[test]
    fn the_last_traceparent_counts() {
        let twice = headers(&[("traceparent", Some("old")), ("traceparent", Some("new"))]);
        let once = headers(&[("traceparent", Some("new"))]);
        assert_eq!(of_trace(Some(&twice)), of_trace(Some(&once)));
        assert!(of_trace(Some(&once)).is_some());
        assert_eq!(of_trace(Some(&headers(&[]))), None);
    }
}
