//! The client of commands that ask and read, as the application's group, without joining or committing anything.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;

use crate::config::Config;

/// Returns a client with this `isolation.level`.
pub(super) fn reader(config: &Config, isolation: &str) -> Result<BaseConsumer, KafkaError> {
    let mut client = ClientConfig::new();
    config.kafka.consumer.apply(&mut client);
    client
        .set("bootstrap.servers", config.kafka.brokers.to_string())
        .set("group.id", &config.app.id)
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        // The end of a partition is told after this long.
        .set("fetch.wait.max.ms", "20")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
}
