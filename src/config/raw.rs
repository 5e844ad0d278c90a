//! Keys handed to librdkafka as they are.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use serde::{Serialize, Serializer};

use super::denied;
use super::value::REDACTED;

/// Raw librdkafka keys of the consumers or of the producers; secrets among them are redacted in every output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawSettings(BTreeMap<String, String>);

impl RawSettings {
    /// Iterates over keys and values; the caller takes care that secrets are not printed.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Returns all keys and values; the caller takes care that secrets are not printed.
    #[must_use]
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Sets every key in `client`.
    pub fn apply(&self, client: &mut ClientConfig) {
        for (key, value) in self.iter() {
            client.set(key, value);
        }
    }

    /// Iterates over keys and values as they may be shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().map(|(key, value)| (key, if denied::is_secret(key) { REDACTED } else { value }))
    }

    /// Sets a key after asking the deny list and librdkafka itself, which knows its keys and their ranges.
    ///
    /// # Errors
    /// What is wrong with the key or the value.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        if let Some(why) = denied::reason(key) {
            return Err(format!("may not be set: {why}"));
        }
        let known = ClientConfig::new().set(key, value).create_native_config();
        if let Err(KafkaError::ClientConfig(_, description, ..)) = known {
            // The description may quote the value.
            let description = if denied::is_secret(key) { "its value is not accepted" } else { &description };
            return Err(format!("is refused by librdkafka: {description}"));
        }
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}

impl fmt::Debug for RawSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

impl Serialize for RawSettings {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_judges_keys_and_values() {
        let mut raw = RawSettings::default();
        raw.set("fetch.min.bytes", "10").unwrap();
        assert_eq!(raw.get("fetch.min.bytes"), Some("10"));
        assert!(raw.set("fetch.min.bites", "10").unwrap_err().contains("fetch.min.bites"));
        assert!(raw.set("fetch.min.bytes", "many").unwrap_err().contains("refused by librdkafka"));
        assert!(raw.set("acks", "1").unwrap_err().contains("in-sync replica"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let mut raw = RawSettings::default();
        raw.set("sasl.password", "hunter2").unwrap();
        raw.set("sasl.username", "alice").unwrap();
        for shown in [format!("{raw:?}"), serde_json::to_string(&raw).unwrap()] {
            assert!(shown.contains("alice") && !shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(raw.get("sasl.password"), Some("hunter2"));
    }
}
