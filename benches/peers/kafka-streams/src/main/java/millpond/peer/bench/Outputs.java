package millpond.peer.bench;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A read_committed consumer of all partitions of one topic, without group. */
final class Outputs implements AutoCloseable {
    private final KafkaConsumer<byte[], byte[]> consumer;
    /** Sees the end of the log, open transactions included. */
    private final KafkaConsumer<byte[], byte[]> log;
    private final List<TopicPartition> partitions;

    Outputs(String brokers, String topic) {
        consumer = consumer(brokers, "read_committed");
        log = consumer(brokers, "read_uncommitted");
        partitions = consumer.partitionsFor(topic).stream()
                .map(info -> new TopicPartition(info.topic(), info.partition()))
                .toList();
        consumer.assign(partitions);
        log.assign(partitions);
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String brokers, String isolation) {
        return new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers", brokers,
                        "isolation.level", isolation,
                        "auto.offset.reset", "none",
                        "enable.auto.commit", "false",
                        "max.poll.records", "20000",
                        "fetch.max.wait.ms", "100"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
    }

    /** Returns the end of every partition, behind everything that was written so far, committed or not. */
    Map<TopicPartition, Long> logEnds() {
        return log.endOffsets(partitions);
    }

    void seekToBeginning() {
        consumer.seekToBeginning(partitions);
    }

    void seekToEnd() {
        consumer.seekToEnd(partitions);
        // Offsets are looked up lazily; what is written from here on must be seen.
        partitions.forEach(consumer::position);
    }

    ConsumerRecords<byte[], byte[]> poll(long ms) {
        return consumer.poll(Duration.ofMillis(ms));
    }

    /** Tells whether everything that is committed now has been read. */
    boolean isAtEnd() {
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    @Override
    public void close() {
        consumer.close();
        log.close();
    }
}
