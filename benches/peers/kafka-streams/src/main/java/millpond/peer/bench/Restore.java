package millpond.peer.bench;

import java.util.concurrent.atomic.AtomicLong;
import millpond.peer.run.Options;
import millpond.peer.run.Peer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** Restores all stores from nothing, from the first store's beginning until every task runs. */
public final class Restore {
    private static final long LIMIT_S = 600;

    private Restore() {}

    public static void run(Options options) throws Exception {
        AtomicLong began = new AtomicLong();
        AtomicLong records = new AtomicLong();
        Peer peer = new Peer(options);
        peer.wipe();
        peer.listen(new StateRestoreListener() {
            @Override
            public void onRestoreStart(TopicPartition partition, String store, long from, long to) {
                began.compareAndSet(0, System.nanoTime());
            }

            @Override
            public void onBatchRestored(TopicPartition partition, String store, long end, long count) {
                records.addAndGet(count);
            }

            @Override
            public void onRestoreEnd(TopicPartition partition, String store, long total) {
                // Counted batch by batch.
            }
        });
        long[] machine = Proc.machineTicks();
        peer.start();
        long done = peer.awaitRunning(LIMIT_S);
        double seconds = (done - began.get()) / 1e9;
        long count = records.get();
        new Json()
                .text("part", "restore")
                .text("system", "kafka-streams-" + options.get("config", "tuned"))
                .number("threads", options.number("threads", 1))
                .number("records", count)
                .number("recordsPerSecond", (double) Math.round(count / seconds))
                .number("seconds", seconds)
                .number("secondsFromStart", (done - Proc.startNanos()) / 1e9)
                .number("cpuSecondsPerMillion", Proc.cpuSeconds("self") * 1e6 / count)
                .number("peakMiB", Proc.peakMib())
                .number("machineBusyShare", Proc.busyShare(machine, Proc.machineTicks()))
                .print();
        peer.close();
    }
}
