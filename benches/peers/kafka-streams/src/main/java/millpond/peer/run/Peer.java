package millpond.peer.run;

import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import millpond.peer.ledger.LedgerTopology;
import millpond.peer.ledger.Names;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** The ledger running in Kafka Streams. */
public final class Peer implements AutoCloseable {
    private final KafkaStreams streams;
    private final CountDownLatch running = new CountDownLatch(1);
    private volatile long runningNanos;
    private volatile Throwable failure;

    /** Configures the peer without starting it. */
    public Peer(Options options) throws ExecutionException, InterruptedException {
        String configuration = options.get("config", "tuned");
        Properties settings = Settings.of(configuration, options, options.settings());
        String instance = options.get("static", "");
        if (!instance.isEmpty()) {
            settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), instance);
        }
        streams = new KafkaStreams(
                LedgerTopology.build(names(options), Settings.cachesAccounts(configuration)), settings);
        streams.setUncaughtExceptionHandler(error -> {
            failure = error;
            running.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == State.RUNNING && runningNanos == 0) {
                runningNanos = System.nanoTime();
                running.countDown();
            }
        });
    }

    private static Names names(Options options) throws ExecutionException, InterruptedException {
        try (Offsets offsets = new Offsets(options.get("brokers"))) {
            return new Names(
                    options.get("app"),
                    options.get("namespace", options.get("app")),
                    options.get("orders"),
                    options.get("commands"),
                    options.get("accounts"),
                    options.get("deadletters"),
                    offsets.partitions(options.get("orders")));
        }
    }

    public void start() {
        streams.start();
    }

    /** Deletes the state of this application; not while it runs. */
    public void wipe() {
        streams.cleanUp();
    }

    public void listen(StateRestoreListener listener) {
        streams.setGlobalStateRestoreListener(listener);
    }

    /** Waits until all tasks run and returns when that was (System.nanoTime). */
    public long awaitRunning(long seconds) throws InterruptedException {
        boolean inTime = running.await(seconds, TimeUnit.SECONDS);
        check();
        if (!inTime) {
            throw new IllegalStateException("not running after " + seconds + " s");
        }
        return runningNanos;
    }

    /** Throws what a stream thread died of. */
    public void check() {
        if (failure != null) {
            throw new IllegalStateException("a stream thread died", failure);
        }
    }

    /** Waits until the group has committed {@code ends}, without asking more often than every 5 ms. */
    public void awaitCommitted(Offsets offsets, String group, Map<TopicPartition, Long> ends)
            throws ExecutionException, InterruptedException {
        while (!offsets.isCommitted(group, ends)) {
            check();
            Thread.sleep(5);
        }
    }

    /** Stops cleanly; the state stays usable and the group is left. */
    @Override
    public void close() {
        streams.close(CloseOptions.groupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
    }
}
