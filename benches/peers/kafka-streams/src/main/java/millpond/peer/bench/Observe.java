package millpond.peer.bench;

import millpond.peer.run.Options;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Starts a system and a load and measures the latency of committed outputs: from the input's timestamp, which the output
 * carries, to its arrival here. The load follows its schedule whatever the system does, so a stall is counted for every
 * order that it held up.
 */
public final class Observe {
    /** Slower ones count as this, ms. */
    private static final int SLOWEST_MS = 600_000;

    private Observe() {}

    public static void run(Options options) throws Exception {
        long seconds = options.number("seconds", 30);
        long skipped = options.number("skip-seconds", 5);
        long[] counts = new long[SLOWEST_MS + 1];
        long total = 0;
        long[] machine;
        double cpu;
        try (Outputs outputs = new Outputs(options.get("brokers"), options.get("topic"));
                Subject subject = new Subject(options)) {
            outputs.seekToEnd();
            subject.start();
            while (outputs.poll(50).isEmpty()) {
                subject.check();
            }
            subject.startLoad();
            machine = Proc.machineTicks();
            cpu = Proc.cpuSeconds(subject.pid());
            long from = System.currentTimeMillis() + skipped * 1_000;
            long to = from + seconds * 1_000;
            for (long now = 0; now < to; ) {
                Iterable<ConsumerRecord<byte[], byte[]>> records = outputs.poll(10);
                now = System.currentTimeMillis();
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    // By the order's own time, so that a slow system does not shift which orders count.
                    if (record.timestamp() >= from) {
                        counts[(int) Math.max(0, Math.min(now - record.timestamp(), SLOWEST_MS))]++;
                        total++;
                    }
                }
                subject.check();
            }
            cpu = Proc.cpuSeconds(subject.pid()) - cpu;
        }
        new Json()
                .text("part", options.get("part", "latency"))
                .text("system", options.get("system", "unnamed"))
                .number("outputs", total)
                .number("cores", cpu / (seconds + skipped))
                .number("outputsPerSecond", total / (double) seconds)
                .raw("p50Ms", quantile(counts, total, 0.5))
                .raw("p99Ms", quantile(counts, total, 0.99))
                .raw("p999Ms", quantile(counts, total, 0.999))
                .raw("maxMs", quantile(counts, total, 1))
                .number("machineBusyShare", Proc.busyShare(machine, Proc.machineTicks()))
                .print();
    }

    private static String quantile(long[] counts, long total, double share) {
        if (total == 0) {
            return "null";
        }
        long rank = (long) Math.ceil(share * total);
        long below = 0;
        int ms = 0;
        while (below + counts[ms] < rank) {
            below += counts[ms];
            ms++;
        }
        return Integer.toString(ms);
    }
}
