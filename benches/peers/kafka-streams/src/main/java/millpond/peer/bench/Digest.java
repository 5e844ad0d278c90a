package millpond.peer.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import millpond.peer.run.Options;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Fingerprints of an output topic: for each of its partitions and each input that the records come from, their number
 * and a SHA-256 over them in order. Two systems that were given the same input must have the same fingerprints,
 * however they interleaved the inputs.
 */
public final class Digest {
    private static final byte[] SOURCE = "\"source\":{\"topic\":\"".getBytes(StandardCharsets.ISO_8859_1);

    private static final String ERRORS = "__streams.errors.";

    private Digest() {}

    private static final class Run {
        final MessageDigest sha256;
        long count;

        Run() {
            try {
                sha256 = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException error) {
                throw new IllegalStateException(error);
            }
        }

        void add(byte[] bytes) {
            sha256.update(ByteBuffer.allocate(4).putInt(bytes == null ? -1 : bytes.length).flip());
            if (bytes != null) {
                sha256.update(bytes);
            }
        }
    }

    public static void run(Options options) {
        boolean letters = options.get("what", "events").equals("letters");
        Map<String, Run> runs = new TreeMap<>();
        long total = 0;
        try (Outputs outputs = new Outputs(options.get("brokers"), options.get("topic"))) {
            outputs.seekToBeginning();
            do {
                for (ConsumerRecord<byte[], byte[]> record : outputs.poll(200)) {
                    String source = letters ? sourceOfLetter(record) : sourceTopic(record.value());
                    Run run = runs.computeIfAbsent(record.partition() + " " + source, name -> new Run());
                    run.count++;
                    total++;
                    add(run, record, letters);
                }
            } while (!outputs.isAtEnd());
        }
        Json shown = new Json();
        runs.forEach((name, run) ->
                shown.text(name, run.count + " " + HexFormat.of().formatHex(run.sha256.digest())));
        new Json().text("part", "digest").number("records", total).raw("runs", shown.toString()).print();
    }

    private static void add(Run run, ConsumerRecord<byte[], byte[]> record, boolean letters) {
        run.add(record.key());
        run.add(record.value());
        if (!letters) {
            run.add(ByteBuffer.allocate(8).putLong(record.timestamp()).array());
            return;
        }
        // The other headers tell who wrote it and when.
        for (String name : new String[] {"offset", "exception"}) {
            run.add(header(record, ERRORS + name).getBytes(StandardCharsets.UTF_8));
        }
    }

    /** A letter goes to the partition of its key, which need not be where the record was read. */
    private static String sourceOfLetter(ConsumerRecord<byte[], byte[]> record) {
        return header(record, ERRORS + "topic") + " " + header(record, ERRORS + "partition");
    }

    private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }

    /** Finds the topic in the envelope; it stands before anything that an input could choose. */
    private static String sourceTopic(byte[] value) {
        for (int at = 0; at + SOURCE.length < value.length; at++) {
            int end = at + SOURCE.length;
            if (Arrays.equals(value, at, end, SOURCE, 0, SOURCE.length)) {
                int quote = end;
                while (quote < value.length && value[quote] != '"') {
                    quote++;
                }
                return new String(value, end, quote - end, StandardCharsets.ISO_8859_1);
            }
        }
        return "";
    }
}
