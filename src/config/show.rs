//! The configuration as `config show` shows it.

use serde::Serialize;

use super::key::KEYS;
use super::load::Loaded;

/// A key with its effective value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The key.
    pub key: String,
    /// The value, secrets redacted; `None` where nothing is set.
    pub value: Option<String>,
    /// The layer that set it, and where in it.
    pub origin: String,
    /// What the key is; empty for raw librdkafka keys.
    pub about: &'static str,
}

impl Loaded {
    /// Returns every key with its value, raw keys last.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        let keys = KEYS.iter().map(|key| (key.name.to_owned(), key.show(&self.config), key.about));
        let raw = |prefix: &'static str, settings: &super::raw::RawSettings| {
            let shown =
                settings.shown().map(|(key, value)| (format!("{prefix}.{key}"), Some(value.to_owned()), ""));
            shown.collect::<Vec<_>>()
        };
        let consumer = raw("kafka.consumer", &self.config.kafka.consumer);
        let producer = raw("kafka.producer", &self.config.kafka.producer);
        let all = keys.chain(consumer).chain(producer);
        all.map(|(key, value, about)| Shown { origin: self.origin(&key).to_string(), key, value, about })
            .collect()
    }
}
