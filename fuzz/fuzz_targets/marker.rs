//! Any bytes as a marker: what is accepted encodes to the same bytes, no part of it is accepted too, and the oracle reads
//! the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_topology::{CodecError, Marker};

fuzz_target!(|data: &[u8]| {
    let judged = millpond_fuzz_judge::marker(data);
    match Marker::decode(data) {
        Ok(marker) => {
            let mut again = Vec::new();
            marker.encode(&mut again);
            assert_eq!(again, data, "one marker has one encoding");
            assert!(Marker::decode(&data[..data.len() - 1]).is_err(), "a cut marker is no marker");
            again.push(0);
            assert!(Marker::decode(&again).is_err(), "nothing may follow a marker");
            let inputs = marker.inputs.iter().map(|input| (input.topic.clone(), input.next_offset)).collect();
            assert_eq!(judged, Some((marker.sequence, marker.stream_time_ms, inputs)));
            for input in &marker.inputs {
                let first = marker.inputs.iter().find(|other| other.topic == input.topic);
                assert_eq!(marker.next_offset(&input.topic), first.map(|first| first.next_offset));
            }
            assert_eq!(marker.fingerprint.refuses(&marker.fingerprint).is_some(), has_two_hashes(&marker));
        }
        Err(CodecError::UnknownVersion { found, .. }) => {
            assert_eq!((data.first(), judged), (Some(&found), None));
            assert_ne!(found, 1);
        }
        Err(CodecError::Malformed { .. }) => assert_eq!(judged, None),
    }
});

/// Says whether a store is there twice with different hashes, which agrees with nothing, not even with itself.
fn has_two_hashes(marker: &Marker) -> bool {
    let stores = &marker.fingerprint.stores;
    stores.iter().any(|(id, hash)| {
        stores.iter().find(|(other, _)| other == id).is_some_and(|(_, first)| first != hash)
    })
}
