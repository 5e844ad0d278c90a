//! What the sink must be told, and the Kafka client configuration that follows from it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::topic_ids::TopicIds;
use crate::kafka::fetch_limits;

/// Everything the sink needs to know. Build one with [`Settings::new`] and change what differs.
#[derive(Clone)]
pub struct Settings {
    /// Bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// Raw librdkafka keys (TLS, SASL, client id). Keys that exactly-once depends on are overridden.
    pub consumer_overrides: BTreeMap<String, String>,
    /// Application id: the sink is called `<app_id>.sink`, in Kafka and in `sink_offsets`.
    pub app_id: String,
    /// Connection URL of PostgreSQL. Secret: never printed.
    pub postgres_url: String,
    /// Topic of account events.
    pub accounts_topic: String,
    /// Topic of dead letters.
    pub deadletter_topic: String,
    /// Rows per database transaction, at most.
    pub batch_rows: usize,
    /// Bytes of keys and values per database transaction, at most (a single larger record still passes).
    pub batch_bytes: usize,
    /// Writer tasks, each with one database connection; partition `p` belongs to writer `p % writers`.
    pub writers: usize,
    /// Bytes librdkafka may hold fetched and unread, for all partitions together.
    pub fetch_queue_bytes: usize,
    /// A database transaction without an answer for this long is given up and tried again.
    pub flush_timeout: Duration,
    /// Observes, per record and after COMMIT, the seconds since the record's timestamp.
    pub e2e_latency: Option<prometheus::Histogram>,
    /// Where topic ids come from.
    pub topic_ids: Arc<dyn TopicIds>,
}

impl Settings {
    /// Returns settings with the defaults of the product for everything that has one.
    pub fn new(brokers: &str, app_id: &str, postgres_url: &str, topic_ids: Arc<dyn TopicIds>) -> Self {
        Self {
            brokers: brokers.to_owned(),
            consumer_overrides: BTreeMap::new(),
            app_id: app_id.to_owned(),
            postgres_url: postgres_url.to_owned(),
            accounts_topic: "account.events".to_owned(),
            deadletter_topic: "deadletter.events".to_owned(),
            batch_rows: 1000,
            batch_bytes: 4 << 20,
            writers: 2,
            fetch_queue_bytes: 16 << 20,
            flush_timeout: Duration::from_secs(30),
            e2e_latency: None,
            topic_ids,
        }
    }

    /// Returns the name of the sink, which is also its consumer group for dashboards.
    pub fn sink_name(&self) -> String {
        format!("{}.sink", self.app_id)
    }

    /// Client configuration of the one consumer.
    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // An answer that never comes is waited for this long (default 60 s), also when stopping.
        config.set("socket.timeout.ms", "10000");
        let message_max = self.consumer_overrides.get("message.max.bytes").and_then(|text| text.parse().ok());
        for (key, value) in fetch_limits(self.fetch_queue_bytes as u64, message_max) {
            config.set(key, value);
        }
        for (key, value) in &self.consumer_overrides {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", self.sink_name())
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            // A full queue is looked at again after this long; the default of 1 s would stall a fast writer.
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "20");
        config
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("brokers", &self.brokers)
            .field("app_id", &self.app_id)
            .field("postgres_url", &"<redacted>")
            .field("accounts_topic", &self.accounts_topic)
            .field("deadletter_topic", &self.deadletter_topic)
            .field("batch_rows", &self.batch_rows)
            .field("writers", &self.writers)
            .finish_non_exhaustive()
    }
}
