//! Which keys hold secrets.

use super::denied;
use super::key::Key;

/// Tells whether the value of a key must not be seen, raw librdkafka keys included.
pub(super) fn is_secret(key: &str) -> bool {
    let raw = key.strip_prefix("kafka.consumer.").or_else(|| key.strip_prefix("kafka.producer."));
    match raw {
        Some(raw) => denied::is_secret(raw),
        None => Key::find(key).is_some_and(|key| key.secret),
    }
}
