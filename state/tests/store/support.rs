//! What the tests share: an identity, seeded content, and a model to compare with.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use millpond_state::{Batch, Identity, Opened, Shared, Store, StoreIdentity};
use millpond_topology::{Fingerprint, InputOffset, Marker, StateReader};

/// What a store should hold, without marker and metadata.
pub(crate) type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// After-images by key.
pub(crate) type Images = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Small: write buffers of 64 KiB, so that flushes and compactions happen all the time.
pub(crate) fn small() -> Shared {
    Shared::new(256 * 1024)
}

pub(crate) fn identity() -> Identity {
    let store = |id: u16, name: &str| StoreIdentity { id, name: name.into(), codec: "bytes".into() };
    Identity {
        app: "app".into(),
        subtopology: "sub".into(),
        partition: 3,
        partition_count: 4,
        partitioner: "murmur2".into(),
        stores: vec![store(1, "first"), store(2, "second")],
        changelog: "app.sub.changelog".into(),
    }
}

pub(crate) fn open(dir: &Path) -> Opened {
    Store::open(dir, &identity(), &small()).unwrap()
}

pub(crate) fn marker(sequence: u64) -> Vec<u8> {
    let mut out = Vec::new();
    Marker {
        fingerprint: Fingerprint { base: [7; 16], stores: vec![(1, [1; 8]), (2, [2; 8])] },
        sequence,
        inputs: vec![InputOffset { topic: "t".into(), topic_id: [9; 16], next_offset: 5 }],
        stream_time_ms: -1,
        punctuations: Vec::new(),
        tallies: Vec::new(),
    }
    .encode(&mut out);
    out
}

pub(crate) fn apply(store: &mut Store, images: &Images, sequence: u64, position: i64) {
    let images = images.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
    store.apply(Batch { images, marker: &marker(sequence), position, wall_ms: 1_000 }).unwrap();
}

pub(crate) fn fold(model: &mut Model, images: &Images) {
    for (key, value) in images {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

/// Reads everything but marker and metadata.
pub(crate) fn content(reader: &impl StateReader) -> Model {
    let mut out = Model::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        out.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    reader.scan(&[0, 1], None, &mut visit).unwrap();
    out
}

/// Compares, naming the first keys that differ instead of printing everything.
pub(crate) fn assert_same(found: &Model, expected: &Model, what: &str) {
    let keys = found.keys().chain(expected.keys().filter(|key| !found.contains_key(*key)));
    let other: Vec<_> = keys.filter(|key| found.get(*key) != expected.get(*key)).collect();
    let sample: Vec<_> = other.iter().take(3).map(|key| (key, found.get(*key), expected.get(*key))).collect();
    assert!(other.is_empty(), "{what}: {} keys differ, as (key, found, expected): {sample:?}", other.len());
}

/// The splitmix64 generator: the same seed gives the same content in every process.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Returns `MILLPOND_SEED`, or a new seed, and prints it.
pub(crate) fn seed(test: &str) -> u64 {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let seed = std::env::var("MILLPOND_SEED").map_or_else(|_| now() as u64, |seed| seed.parse().unwrap());
    println!("{test}: MILLPOND_SEED={seed}");
    seed
}

/// A changelog key of one of the two stores, out of `keys` of each.
pub(crate) fn key(random: &mut Random, keys: u64) -> Vec<u8> {
    let mut key = vec![0, if random.below(3) == 0 { 2 } else { 1 }];
    key.extend(random.below(keys).to_be_bytes());
    key
}

/// A value that names the batch it comes from; a fifth are deletions.
pub(crate) fn value(random: &mut Random, batch: u64) -> Option<Vec<u8>> {
    (random.below(5) != 0).then(|| {
        let mut value = batch.to_le_bytes().to_vec();
        let filler = random.next().to_le_bytes();
        value.extend(filler.iter().cycle().take(20 + random.below(180) as usize));
        value
    })
}

/// The after-images of batch `number`, from 0.
pub(crate) fn images(seed: u64, number: u64) -> Images {
    let mut random = Random(seed ^ number.wrapping_mul(0x0123_4567_89ab_cdef));
    let rows = 1 + random.below(300);
    (0..rows).map(|_| (key(&mut random, 3_000), value(&mut random, number))).collect()
}
