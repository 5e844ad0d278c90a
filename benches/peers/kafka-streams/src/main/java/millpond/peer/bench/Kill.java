package millpond.peer.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import millpond.peer.run.Options;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Starts a system and measures to its first committed output; then, as often as asked, kills it with SIGKILL under
 * load, starts it again at once and measures from the kill to the first committed output after it. Ends when nothing
 * more comes out, so that the outputs can be compared.
 */
public final class Kill {
    private static final long LIMIT_S = 300;

    private final Subject subject;
    private final Outputs outputs;
    private final long quietSeconds;

    private Kill(Options options, Subject subject, Outputs outputs) {
        this.subject = subject;
        this.outputs = outputs;
        quietSeconds = options.number("quiet-seconds", 3);
    }

    public static void run(Options options) throws Exception {
        long after = options.number("after-seconds", 10);
        List<Double> seconds = new ArrayList<>();
        double first;
        try (Outputs outputs = new Outputs(options.get("brokers"), options.get("topic"));
                Subject subject = new Subject(options)) {
            Kill kill = new Kill(options, subject, outputs);
            outputs.seekToEnd();
            Map<TopicPartition, Long> ends = outputs.logEnds();
            long started = System.nanoTime();
            subject.start();
            subject.startLoad();
            first = kill.awaitOutput(started, ends);
            for (long round = options.number("rounds", 1); round > 0; round--) {
                kill.readFor(after);
                seconds.add(kill.once());
            }
            if (!seconds.isEmpty()) {
                kill.readFor(after);
            }
            subject.stopLoad();
            kill.readToQuiet();
        }
        Json json = new Json()
                .text("part", options.get("part", seconds.isEmpty() ? "start" : "kill"))
                .text("system", options.get("system", "unnamed"))
                .number("secondsFromStart", first);
        if (!seconds.isEmpty()) {
            List<Double> sorted = new ArrayList<>(seconds);
            Collections.sort(sorted);
            json.number("seconds", sorted.get(sorted.size() / 2));
            json.raw("rounds", seconds.stream().map(Kill::shown).collect(Collectors.joining(",", "[", "]")));
        }
        json.print();
    }

    private static String shown(double seconds) {
        return String.format(Locale.ROOT, "%.3f", seconds);
    }

    private double once() throws IOException, InterruptedException {
        long killed = System.nanoTime();
        subject.kill();
        Map<TopicPartition, Long> ends = outputs.logEnds();
        subject.start();
        return awaitOutput(killed, ends);
    }

    /** Returns the seconds from {@code since} to an output behind {@code ends}: one that the new process wrote. */
    private double awaitOutput(long since, Map<TopicPartition, Long> ends) {
        while (true) {
            for (ConsumerRecord<byte[], byte[]> record : outputs.poll(5)) {
                if (record.offset() >= ends.get(new TopicPartition(record.topic(), record.partition()))) {
                    return (System.nanoTime() - since) / 1e9;
                }
            }
            long ns = System.nanoTime() - since;
            subject.check();
            if (ns > LIMIT_S * 1_000_000_000L) {
                throw new IllegalStateException("no output within " + LIMIT_S + " s");
            }
        }
    }

    private void readFor(long seconds) {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (System.nanoTime() < end) {
            outputs.poll(50);
            subject.check();
        }
    }

    private void readToQuiet() {
        long last = System.nanoTime();
        while (System.nanoTime() - last < quietSeconds * 1_000_000_000L) {
            if (!outputs.poll(50).isEmpty()) {
                last = System.nanoTime();
            }
        }
    }
}
