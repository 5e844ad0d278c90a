package millpond.peer.run;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Ends of topics and committed offsets of a group, asked of the broker. */
public final class Offsets implements AutoCloseable {
    private final Admin admin;

    public Offsets(String brokers) {
        admin = Admin.create(Map.of("bootstrap.servers", brokers));
    }

    public int partitions(String topic) throws ExecutionException, InterruptedException {
        return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get().partitions().size();
    }

    /** Returns the offset of each partition's end or beginning. */
    public Map<TopicPartition, Long> list(String topic, OffsetSpec spec)
            throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        for (int partition = partitions(topic) - 1; partition >= 0; partition--) {
            wanted.put(new TopicPartition(topic, partition), spec);
        }
        Map<TopicPartition, Long> offsets = new HashMap<>();
        for (Map.Entry<TopicPartition, ListOffsetsResultInfo> found :
                admin.listOffsets(wanted).all().get().entrySet()) {
            offsets.put(found.getKey(), found.getValue().offset());
        }
        return offsets;
    }

    /** Returns where the group goes on reading each partition. */
    public Map<TopicPartition, Long> committedOrEarliest(String group, String topic)
            throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetAndMetadata> committed = committed(group);
        Map<TopicPartition, Long> offsets = list(topic, OffsetSpec.earliest());
        offsets.replaceAll((partition, earliest) ->
                committed.get(partition) == null ? earliest : Long.valueOf(committed.get(partition).offset()));
        return offsets;
    }

    private Map<TopicPartition, OffsetAndMetadata> committed(String group)
            throws ExecutionException, InterruptedException {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }

    /** Tells whether the group has committed at least these offsets. */
    public boolean isCommitted(String group, Map<TopicPartition, Long> ends)
            throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetAndMetadata> committed = committed(group);
        for (Map.Entry<TopicPartition, Long> end : ends.entrySet()) {
            OffsetAndMetadata offset = committed.get(end.getKey());
            if (end.getValue() > 0 && (offset == null || offset.offset() < end.getValue())) {
                return false;
            }
        }
        return true;
    }

    /** Sets the committed offsets of a group without members. */
    public void commit(String group, Map<TopicPartition, Long> offsets)
            throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
        offsets.forEach((partition, offset) -> wanted.put(partition, new OffsetAndMetadata(offset)));
        admin.alterConsumerGroupOffsets(group, wanted).all().get();
    }

    /** Deletes the topics whose names begin so, and returns how many. */
    public int forget(String prefix) throws ExecutionException, InterruptedException {
        List<String> topics = admin.listTopics().names().get().stream()
                .filter(name -> name.startsWith(prefix))
                .toList();
        admin.deleteTopics(topics).all().get();
        return topics.size();
    }

    @Override
    public void close() {
        admin.close();
    }
}
