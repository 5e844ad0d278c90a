//! Any text as the configuration file: every complaint names a line of it, and what is accepted is shown in a form that
//! is accepted again and means the same.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../src/config/mod.rs"]
mod config;

use std::fs;
use std::path::Path;

use config::{ConfigError, Loaded, Origin, Sources, load};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
}

fn read(path: &Path, text: &[u8]) -> Result<Loaded, ConfigError> {
    fs::write(path, text).expect("written");
    load(&Sources { file: Some(path.to_owned()), ..Sources::default() })
}

/// Returns the keys that the file set and their values as they are shown, but for secrets, which are not.
fn shown(loaded: &Loaded) -> Vec<(String, String)> {
    let is_set = |key: &str| loaded.origin(key) != Origin::Default;
    let all = loaded.shown().into_iter().filter(|shown| is_set(&shown.key));
    let all = all.filter_map(|shown| Some((shown.key, shown.value?)));
    all.filter(|(_, value)| value != "<redacted>").collect()
}

/// Writes texts as TOML, whatever is in them.
fn file_of(set: &[(String, String)]) -> String {
    let quoted = |text: &str| -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || " -_./:,".contains(c);
        text.chars()
            .map(|c| if plain(c) { c.to_string() } else { format!("\\U{:08X}", u32::from(c)) })
            .collect()
    };
    set.iter().map(|(key, value)| format!("\"{}\" = \"{}\"\n", quoted(key), quoted(value))).collect()
}

fuzz_target!(|data: &[u8]| {
    let path = FOLDER.with(|folder| folder.path().join("millpond.toml"));
    let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
    match read(&path, data) {
        Ok(loaded) => {
            assert!(loaded.config.check().is_ok(), "what was loaded is checked");
            let set = shown(&loaded);
            let again = read(&path, file_of(&set).as_bytes());
            assert_eq!(
                shown(&again.unwrap_or_else(|error| panic!("{set:?} is not accepted again: {error}"))),
                set
            );
        }
        Err(ConfigError::Unreadable { .. }) => assert!(std::str::from_utf8(data).is_err(), "it can be read"),
        Err(error @ ConfigError::Syntax { line, .. }) => {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            assert!(error.to_string().contains(&format!("millpond.toml:{line}: ")), "{error}");
        }
        Err(ConfigError::Problems(problems)) => {
            assert!(!problems.is_empty());
            for problem in problems {
                if let Origin::File { path: named, line } = &problem.origin {
                    assert!(*named == path && (1..=lines).contains(line), "{problem}");
                    assert!(problem.to_string().contains(&format!(":{line}: ")), "{problem}");
                } else {
                    // A rule between keys, one of which has its default.
                    assert_eq!(problem.origin, Origin::Default, "{problem}");
                }
            }
        }
    }
});
