package millpond.peer.bench;

import java.util.Map;
import millpond.peer.ledger.Meter;
import millpond.peer.run.Offsets;
import millpond.peer.run.Options;
import millpond.peer.run.Peer;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/**
 * Takes in preloaded orders as fast as possible, from the first order that reaches a processor to the commit of the
 * last. The broker is asked what is committed only when the processors have had everything.
 */
public final class Drain {
    private Drain() {}

    public static void run(Options options) throws Exception {
        String app = options.get("app");
        String broker = options.get("broker-pid", "none");
        try (Offsets offsets = new Offsets(options.get("brokers"))) {
            String topic = options.get("orders");
            Map<TopicPartition, Long> ends = offsets.list(topic, OffsetSpec.latest());
            long orders = sum(ends) - sum(offsets.committedOrEarliest(app, topic));
            long[] machine = Proc.machineTicks();
            double brokerBefore = Proc.cpuSeconds(broker);
            Peer peer = new Peer(options);
            peer.start();
            // Transaction markers take offsets too, so a count below the ends' distance can be all there is.
            while (Meter.sum(true) + Meter.slack() < orders && !isIdle(offsets, app, ends)) {
                peer.check();
                Thread.sleep(5);
            }
            peer.awaitCommitted(offsets, app, ends);
            long done = System.nanoTime();
            double cpu = Proc.cpuSeconds("self");
            double brokerCpu = Proc.cpuSeconds(broker) - brokerBefore;
            double busy = Proc.busyShare(machine, Proc.machineTicks());
            double peak = Proc.peakMib();
            peer.close();

            double seconds = (done - Meter.firstOrderNanos()) / 1e9;
            new Json()
                    .text("part", "drain")
                    .text("system", "kafka-streams-" + options.get("config", "tuned"))
                    .number("orders", orders)
                    .number("partitions", ends.size())
                    .number("threads", options.number("threads", 1))
                    .number("ordersPerSecond", (double) Math.round(orders / seconds))
                    .number("seconds", seconds)
                    .number("secondsFromStart", (done - Proc.startNanos()) / 1e9)
                    .number("cpuSecondsPerMillion", cpu * 1e6 / orders)
                    .number("brokerCpuSecondsPerMillion", brokerCpu * 1e6 / orders)
                    .number("peakMiB", peak)
                    .number("machineBusyShare", busy)
                    .print();
        }
    }

    private static long sum(Map<TopicPartition, Long> offsets) {
        return offsets.values().stream().mapToLong(Long::longValue).sum();
    }

    /** Asks the broker after a second without a new order. */
    private static boolean isIdle(Offsets offsets, String app, Map<TopicPartition, Long> ends) throws Exception {
        long now = System.nanoTime();
        long seen = Meter.sum(true);
        if (seen != lastSeen) {
            lastSeen = seen;
            lastChange = now;
        }
        boolean quiet = seen > 0 && now - lastChange > 1_000_000_000L;
        return quiet && offsets.isCommitted(app, ends);
    }

    private static long lastSeen;
    private static long lastChange;
}
