//! The Kafka client as the engine needs it: manually assigned consumers, a fenced transactional producer, queries.

mod client_config;
mod cluster;
mod consumer;
mod errors;
mod events;
mod ffi;
mod producer;

pub use client_config::{ClientConfig, MESSAGE_OVERHEAD, fetch_limits};
pub use cluster::{Cluster, PartitionEnds, TopicFacts};
pub use consumer::{Consumer, Flow, TopicPartition};
pub use errors::{classify, loses_records};
pub use ffi::{
    CallError, DeliveryFailure, Message, Position, TopicDescription, TopicTag, code, end_process,
    give_back_memory,
};
pub use producer::{Abandoned, Producer, ProducerSettings, Reply};
