//! Any changelog record: a key that is read encodes to itself, a value that is read to itself, and the oracle reads exactly
//! what we read.
//!
//! Input: the key's length, the key, a byte (0 = tombstone), the value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_ledger::{AccountCodec, OrderCodec, ReferenceCodec, ReferenceKeyCodec};
use millpond_topology::{Codec, KeyCodec, U64Key, U64PairKey, changelog_key, split_changelog_key};

fuzz_target!(|data: &[u8]| {
    let [key_length, rest @ ..] = data else { return };
    let Some((key, rest)) = rest.split_at_checked(usize::from(*key_length)) else { return };
    let [has_value, value @ ..] = rest else { return };
    let value = (*has_value != 0).then_some(value);
    let Some((store, store_key)) = split_changelog_key(key) else {
        assert!(key.len() < 2);
        return;
    };
    let mut again = Vec::new();
    changelog_key(store, store_key, &mut again);
    assert_eq!(again, key);
    let read = match store {
        1 => row(&U64Key, &AccountCodec::new(), store_key, value),
        2 => row(&U64PairKey, &OrderCodec::new(), store_key, value),
        3 => row(&ReferenceKeyCodec, &ReferenceCodec::new(), store_key, value),
        _ => false,
    };
    assert_eq!(read, millpond_fuzz_judge::reads_row(key, value), "the oracle reads what we read");
});

/// Says whether key and value are read, and checks that both have one encoding.
fn row<K: KeyCodec, C: Codec>(keys: &K, values: &C, key: &[u8], value: Option<&[u8]>) -> bool {
    let Ok(decoded) = keys.decode(key) else { return false };
    let mut again = Vec::new();
    keys.encode(&decoded, &mut again);
    assert_eq!(again, key, "one key has one encoding");
    let Some(value) = value else { return true };
    let Ok(decoded) = values.decode(value) else { return false };
    again.clear();
    values.try_encode(&decoded, &mut again).expect("what was read can be written");
    assert_eq!(again, value, "one value has one encoding");
    assert!(values.decode(&value[..value.len() - 1]).is_err(), "a cut value is no value");
    again.push(0);
    assert!(values.decode(&again).is_err(), "nothing may follow a value");
    true
}
