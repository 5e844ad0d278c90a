//! The librdkafka keys that may not be set: exactly-once depends on them, or a key of ours sets them.

/// Refused for consumers and producers alike: a key on the wrong side is a misunderstanding as well.
const KEYS: &[(&str, &str)] = &[
    ("bootstrap.servers", "kafka.brokers sets it"),
    ("metadata.broker.list", "kafka.brokers sets it"),
    ("allow.auto.create.topics", "a missing topic must be an error: `millpond topics init` creates topics"),
    ("group.id", "app.id sets it; clients never join the group by themselves"),
    ("group.instance.id", "instance.id sets it"),
    ("group.protocol", "membership.backend sets it; clients never join the group by themselves"),
    ("group.protocol.type", "the group is kept by millpond itself"),
    ("group.remote.assignor", "tasks are placed by millpond itself"),
    ("partition.assignment.strategy", "tasks are placed by millpond itself; partitions are assigned by hand"),
    ("session.timeout.ms", "membership.session_timeout sets it"),
    ("heartbeat.interval.ms", "membership.heartbeat_interval sets it"),
    ("max.poll.interval.ms", "clients never join the group; a thread without progress ends the process"),
    ("isolation.level", "reading uncommitted records would debit orders that never happened"),
    (
        "auto.offset.reset",
        "an offset that is gone must stop the process; any other answer skips or repeats orders",
    ),
    ("enable.auto.commit", "offsets are committed in the transaction of their outputs, nowhere else"),
    ("auto.commit.interval.ms", "offsets are committed in the transaction of their outputs, nowhere else"),
    ("auto.commit.enable", "offsets are committed in the transaction of their outputs, nowhere else"),
    ("enable.auto.offset.store", "offsets are committed in the transaction of their outputs, nowhere else"),
    ("offset.store.method", "offsets are committed in the transaction of their outputs, nowhere else"),
    ("enable.partition.eof", "the end of a partition is how restore and idle inputs are recognised"),
    ("transactional.id", "it is made of app.id, the instance and the thread, and fences the one before"),
    ("transaction.timeout.ms", "transaction.timeout sets it"),
    ("enable.idempotence", "without it a retried batch is written twice"),
    ("acks", "a transaction needs every in-sync replica to acknowledge"),
    ("request.required.acks", "a transaction needs every in-sync replica to acknowledge"),
    ("max.in.flight", "above 5 the broker cannot tell a repeated batch"),
    ("max.in.flight.requests.per.connection", "above 5 the broker cannot tell a repeated batch"),
    ("retries", "a batch that is given up would be missing from its transaction"),
    ("message.send.max.retries", "a batch that is given up would be missing from its transaction"),
    ("message.timeout.ms", "a record lives as long as its transaction: transaction.timeout"),
    ("delivery.timeout.ms", "a record lives as long as its transaction: transaction.timeout"),
    ("retry.backoff.ms", "whether a commit was clean is judged by it"),
    ("retry.backoff.max.ms", "whether a commit was clean is judged by it"),
    ("enable.gapless.guarantee", "transactions have their own guarantee"),
    ("queuing.strategy", "records of a partition must stay in order"),
    ("partitioner", "the partition follows from the key as the Java client computes it (murmur2)"),
    ("delivery.report.only.error", "the engine sets it"),
    ("queued.max.messages.kbytes", "fetch.queue_bytes sets it"),
];

/// Refused as whole families.
const FAMILIES: &[(&str, &str)] = &[
    ("test.mock.", "a mock is not a broker"),
    ("ut_", "it belongs to librdkafka's own tests"),
    ("plugin.", "code is not loaded by configuration"),
];

/// Returns why `key` may not be set, for a consumer or a producer; `None` if it may.
pub(super) fn reason(key: &str) -> Option<&'static str> {
    let named = KEYS.iter().find(|(denied, _)| *denied == key);
    let family = || FAMILIES.iter().find(|(prefix, _)| key.starts_with(prefix));
    named.or_else(family).map(|(_, why)| *why)
}

/// Tells whether a librdkafka key holds something that must not be seen.
pub(super) fn is_secret(key: &str) -> bool {
    ["password", "secret", "passphrase", "key.pem", "oauthbearer.config"]
        .iter()
        .any(|part| key.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_exactly_once_depends_on_is_refused_with_a_reason() {
        let keys = [
            "isolation.level",
            "enable.auto.commit",
            "auto.offset.reset",
            "transactional.id",
            "enable.idempotence",
            "acks",
            "group.id",
            "enable.partition.eof",
            "enable.auto.offset.store",
            "partition.assignment.strategy",
            "test.mock.num.brokers",
        ];
        for key in keys {
            assert!(reason(key).is_some(), "{key}");
        }
        assert_eq!(reason("fetch.min.bytes"), None);
    }

    #[test]
    fn credentials_are_secrets_and_names_are_not() {
        for key in ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["sasl.username", "ssl.ca.location", "ssl.key.location", "security.protocol"] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
