//! librdkafka configuration: what the user may set, below what exactly-once depends on.

use std::collections::BTreeMap;

/// Keys and values of a client. Later settings win.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientConfig(BTreeMap<String, String>);

impl ClientConfig {
    /// Returns the configuration of a client of `brokers` with the user's own keys.
    #[must_use]
    pub fn new(brokers: &str, user: &BTreeMap<String, String>) -> Self {
        let mut config = Self(user.clone());
        config.set("bootstrap.servers", brokers);
        config.set("allow.auto.create.topics", "false");
        config.set("enable.metrics.push", "false");
        config.set("log.queue", "true");
        config
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key unless it is set already.
    pub fn default(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.0.entry(key.to_owned()).or_insert_with(|| value.into());
        self
    }

    /// Iterates over keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Turns it into the configuration of a manually assigned, read_committed consumer that never resets an offset.
    #[must_use]
    pub fn consumer(mut self, group: &str, queue_bytes: u64) -> Self {
        let message_max = self.0.get("message.max.bytes").and_then(|text| text.parse().ok());
        for (key, value) in fetch_limits(queue_bytes, message_max) {
            self.default(key, value);
        }
        self.set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            // A damaged batch is an error, not data.
            .set("check.crcs", "true")
            .set("enable.partition.eof", "true")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // A connection that died without a word stalls its partitions this long (default 60 s).
            .default("socket.timeout.ms", "10000")
            // Once a queue is full the next fetch waits this long (default 1 s: a stall).
            .default("fetch.queue.backoff.ms", "10")
            // Also how long the end-of-partition event takes (default 500 ms).
            .default("fetch.wait.max.ms", "20");
        self
    }
}

/// Bytes that a waiting message is taken to need in memory beside its payload, in librdkafka's queue or taken over from it. Chosen,
/// not measured: a heap profile under load showed librdkafka's records of waiting messages to be as large as the answers that
/// hold their payloads.
pub const MESSAGE_OVERHEAD: usize = 1024;

/// Returns the settings of a consumer that bound what it has fetched and nobody has taken yet: bytes and messages, which
/// librdkafka counts for each partition, the size of an answer, which stays in memory until its last message is taken, and
/// the share of a partition in it, by which the queue of a partition is overrun: as it comes over the wire, so that compressed
/// batches overrun it by more, and a single batch that is larger comes all the same.
/// librdkafka refuses an answer below `message_max`, its `message.max.bytes`, if that is set.
#[must_use]
pub fn fetch_limits(queue_bytes: u64, message_max: Option<u64>) -> [(&'static str, String); 4] {
    let answer = queue_bytes.clamp(1 << 20, 50 << 20).max(message_max.unwrap_or(0));
    [
        ("queued.max.messages.kbytes", (queue_bytes / 1024).max(64).to_string()),
        ("queued.min.messages", (queue_bytes / MESSAGE_OVERHEAD as u64).clamp(1_000, 100_000).to_string()),
        ("fetch.max.bytes", answer.to_string()),
        ("fetch.message.max.bytes", (queue_bytes / 4).clamp(64 << 10, 1 << 20).to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_a_quarter_of_its_queue_in_an_answer_which_holds_the_largest_message() {
        let limits = |queue, message_max| fetch_limits(queue, message_max).map(|(_, value)| value);
        assert_eq!(limits(16 << 20, None), ["16384", "16384", "16777216", "1048576"], "the default");
        assert_eq!(limits(2 << 20, None), ["2048", "2048", "2097152", "524288"], "a small budget");
        assert_eq!(limits(2 << 20, Some(9_000_000)), ["2048", "2048", "9000000", "524288"]);
        assert_eq!(limits(1, None), ["64", "1000", "1048576", "65536"], "the least");
    }

    #[test]
    fn what_the_user_sets_of_the_fetch_stays() {
        let mut config = ClientConfig::new("b:1", &BTreeMap::new());
        config.set("fetch.message.max.bytes", "77777").set("auto.offset.reset", "earliest");
        let config = config.consumer("group", 16 << 20);
        let get =
            |key: &str| config.iter().find(|(found, _)| *found == key).map(|(_, value)| value.to_owned());
        assert_eq!(get("fetch.message.max.bytes").as_deref(), Some("77777"));
        assert_eq!(get("auto.offset.reset").as_deref(), Some("error"), "an offset is never reset");
    }
}
