//! Build script: watches what is embedded, and keeps the binaries small.

fn main() {
    // `sqlx::migrate!` embeds this folder; cargo would not see a new file in it.
    println!("cargo:rerun-if-changed=migrations");
    // RocksDB's and librdkafka's debug information is 400 MB a binary. Not by `strip` in the profile: that is part of the
    // fingerprint of every dependency, so that RocksDB would be compiled once more.
    println!("cargo:rustc-link-arg=-Wl,--strip-debug");
}
