//! What can go wrong while load is written.

use rdkafka::error::KafkaError;

/// Why load could not be written, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option is outside its range.
    #[error("{name} = {value} is not possible: it must be {range}")]
    Option {
        /// Option.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// The broker could not be asked.
    #[error("no answer from Kafka at {brokers}: {source}")]
    Unreachable {
        /// Bootstrap addresses.
        brokers: String,
        /// The client's error.
        source: KafkaError,
    },
    /// A topic is not there.
    #[error("topic {topic} does not exist; create it: millpond topics init --execute")]
    NoTopic {
        /// Topic.
        topic: String,
    },
    /// The input topics are not co-partitioned.
    #[error(
        "{orders} has {orders_partitions} partitions, {commands} has {commands_partitions}: they must be equal"
    )]
    NotCoPartitioned {
        /// Topic of orders.
        orders: String,
        /// Its partitions.
        orders_partitions: u32,
        /// Topic of commands.
        commands: String,
        /// Its partitions.
        commands_partitions: u32,
    },
    /// The producer refused a call.
    #[error("the producer failed in {during}: {source}")]
    Producer {
        /// What was being done.
        during: &'static str,
        /// The client's error.
        source: KafkaError,
    },
    /// Records were not acknowledged.
    #[error("{count} records were not written; the first: {first}")]
    Undelivered {
        /// How many.
        count: u64,
        /// The first one's error.
        first: String,
    },
    /// A transaction could not be written, however often it was tried.
    #[error(
        "a transaction was written again {rewrites} times in vain; the first record that was refused: {first}"
    )]
    Transaction {
        /// How often it was written again.
        rewrites: u32,
        /// The first delivery's error; empty when the broker did not answer at all.
        first: String,
    },
    /// Told to stop before everything was written.
    #[error("stopped after {sent} records")]
    Stopped {
        /// Records handed to the producer.
        sent: u64,
    },
    /// The operating system refused a thread.
    #[error("no thread for the progress display: {0}")]
    Thread(#[source] std::io::Error),
}
