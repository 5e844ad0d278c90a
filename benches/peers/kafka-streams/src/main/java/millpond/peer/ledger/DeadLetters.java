package millpond.peer.ledger;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import millpond.peer.input.Reason;
import millpond.peer.output.Place;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.processor.StreamPartitioner;
import org.apache.kafka.streams.processor.api.Record;

/** Dead letters: the original bytes and headers, with the reason in further headers (KIP-1034 and ours). */
final class DeadLetters {
    private static final String STREAMS = "__streams.errors.";
    private static final String OURS = "x-dlq-";
    /** Where a record without a key was read: the partitioner is told no more than key and value. */
    private static final ThreadLocal<Integer> KEYLESS = ThreadLocal.withInitial(() -> 0);

    private DeadLetters() {}

    static Record<byte[], byte[]> of(
            Record<byte[], byte[]> record, Place place, String app, Reason reason, String message, long nowMs) {
        Headers headers = new RecordHeaders();
        for (Header header : record.headers()) {
            if (!header.key().startsWith(STREAMS) && !header.key().startsWith(OURS)) {
                headers.add(header);
            }
        }
        add(headers, STREAMS + "exception", reason.name());
        add(headers, STREAMS + "message", message);
        add(headers, STREAMS + "topic", place.topic);
        add(headers, STREAMS + "partition", Integer.toString(place.partition));
        add(headers, STREAMS + "offset", Long.toString(place.offset));
        add(headers, OURS + "app", app);
        add(headers, OURS + "error-code", reason.name());
        add(headers, OURS + "attempts", "1");
        add(headers, OURS + "first-failure-ts", Long.toString(nowMs));
        add(headers, OURS + "redrive-count", "0");
        KEYLESS.set(place.partition);
        long timestampMs = reason == Reason.INVALID_TIMESTAMP ? nowMs : record.timestamp();
        return new Record<>(record.key(), record.value(), timestampMs, headers);
    }

    private static void add(Headers headers, String name, String value) {
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }

    /** Chooses the partition of the key, or without a key that of the input. */
    static StreamPartitioner<byte[], byte[]> partitioner() {
        return (topic, key, value, count) -> Optional.of(
                Set.of(key == null ? KEYLESS.get() % count : Utils.toPositive(Utils.murmur2(key)) % count));
    }
}
