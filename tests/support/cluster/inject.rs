//! What a broker keeps that lost the end of a transaction: records of a producer whose coordinator knows of none. And
//! their end.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::describe_producers_response::ProducerState;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{ProduceRequest, ProducerId, TransactionalId, WriteTxnMarkersRequest};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use millpond::transactions::ask;

use super::Cluster;
use super::roles::text;

/// A later version would add the partition to a transaction at the coordinator.
const PRODUCE: i16 = 10;
const WRITE_TXN_MARKERS: i16 = 1;

impl Cluster {
    /// Leaves a record open in a partition, in the name of the producer that wrote to it last, which must not run. Needs brokers
    /// that do not ask the coordinator (`transaction.partition.verification.enable=false`).
    pub(crate) fn leave_open(&self, id: &str, topic: &str, partition: i32, record: (&str, &str)) {
        let broker = *self.running().first().unwrap_or_else(|| panic!("no broker runs"));
        let producers = self.producers_of(topic, partition).unwrap_or_default();
        let last: ProducerState = producers
            .into_iter()
            .max_by_key(|producer| producer.last_timestamp)
            .unwrap_or_else(|| panic!("nobody wrote to {topic}-{partition}"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let record = Record {
            transactional: true,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: last.producer_id.0,
            producer_epoch: i16::try_from(last.producer_epoch).unwrap_or_else(|e| panic!("epoch: {e}")),
            timestamp_type: TimestampType::Creation,
            offset: 0,
            sequence: last.last_sequence + 1,
            timestamp: i64::try_from(now).unwrap_or(i64::MAX),
            key: Some(Bytes::copy_from_slice(record.0.as_bytes())),
            value: Some(Bytes::copy_from_slice(record.1.as_bytes())),
            headers: Default::default(),
        };
        let mut batch = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut batch, [&record], &options).unwrap_or_else(|error| panic!("{error}"));
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.freeze()));
        let data = TopicProduceData::default()
            .with_name(super::roles::topic_name(topic))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_transactional_id(Some(TransactionalId(text(id))))
            .with_acks(-1)
            .with_timeout_ms(5_000)
            .with_topic_data(vec![data]);
        let answer =
            ask(broker.address(), PRODUCE, &request).unwrap_or_else(|error| panic!("produce: {error}"));
        let partitions = answer.responses.into_iter().flat_map(|topic| topic.partition_responses);
        for found in partitions {
            assert_eq!(
                found.error_code, 0,
                "{topic}-{partition}: the record was refused: {:?}",
                found.error_message
            );
        }
    }

    /// Aborts what is open in a partition, whatever its coordinator knows of it; returns how many transactions.
    pub(crate) fn abort(&self, topic: &str, partition: i32) -> usize {
        let broker = *self.running().first().unwrap_or_else(|| panic!("no broker runs"));
        let producers = self.producers_of(topic, partition).unwrap_or_default();
        let open: Vec<_> =
            producers.iter().filter(|producer| producer.current_txn_start_offset >= 0).collect();
        for producer in &open {
            let topics = WritableTxnMarkerTopic::default().with_name(super::roles::topic_name(topic));
            let marker = WritableTxnMarker::default()
                .with_producer_id(ProducerId(producer.producer_id.0))
                .with_producer_epoch(
                    i16::try_from(producer.producer_epoch).unwrap_or_else(|e| panic!("epoch: {e}")),
                )
                .with_transaction_result(false)
                .with_topics(vec![topics.with_partition_indexes(vec![partition])]);
            let request = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
            let answer = ask(broker.address(), WRITE_TXN_MARKERS, &request);
            let answer = answer.unwrap_or_else(|error| panic!("marker for {topic}-{partition}: {error}"));
            let topics = answer.markers.into_iter().flat_map(|marker| marker.topics);
            for found in topics.flat_map(|topic| topic.partitions) {
                assert_eq!(found.error_code, 0, "marker for {topic}-{partition} was refused");
            }
        }
        open.len()
    }
}
