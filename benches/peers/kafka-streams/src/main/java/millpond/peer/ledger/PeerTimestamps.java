package millpond.peer.ledger;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.processor.TimestampExtractor;

/**
 * Lets records dated before 1970 reach their processor, which makes dead letters of them: Kafka Streams itself only
 * drops them or stops. One dated 0 is taken for one of them.
 */
public final class PeerTimestamps implements TimestampExtractor {
    static final long INVALID = 0;

    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
        return Math.max(record.timestamp(), INVALID);
    }
}
