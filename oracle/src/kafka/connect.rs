//! Consumers with the settings that an honest reading needs.

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;

use crate::error::OracleError;
use crate::target::Target;

/// What a reader sees of open transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    Committed,
    Uncommitted,
}

/// Creates a consumer that never joins a group, commits nothing and resets nothing.
pub(super) fn consumer(target: &Target, isolation: Isolation) -> Result<BaseConsumer, OracleError> {
    let mut config = ClientConfig::new();
    for (key, value) in &target.consumer_overrides {
        config.set(key, value);
    }
    config
        .set("bootstrap.servers", &target.brokers)
        // The group is named for OffsetFetch alone; nothing is ever subscribed.
        .set("group.id", &target.app_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        // The end of a partition is told after at most this wait; the default is 500 ms.
        .set("fetch.wait.max.ms", "20")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", "16384")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            },
        );
    config.create().map_err(OracleError::kafka("creating a consumer"))
}
