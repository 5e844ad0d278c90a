package millpond.peer.ledger;

import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The ledger: two co-partitioned sources, two processors, three stores, two sinks; bytes everywhere. */
public final class LedgerTopology {
    private LedgerTopology() {}

    /**
     * Builds the topology.
     *
     * @param cacheAccounts puts the record cache before the accounts. The other stores have keys that do not come
     *     again within a transaction: a cache would cost and bring nothing
     */
    public static Topology build(Names names, boolean cacheAccounts) {
        ByteArrayDeserializer in = new ByteArrayDeserializer();
        ByteArraySerializer out = new ByteArraySerializer();
        StoreBuilder<KeyValueStore<byte[], byte[]>> accounts = store(Names.ACCOUNT_STORE);
        PeerTimestamps timestamps = new PeerTimestamps();
        return new Topology()
                .addSource(AutoOffsetReset.earliest(), "order-events", timestamps, in, in, names.orders())
                .addSource(AutoOffsetReset.earliest(), "account-commands", timestamps, in, in, names.commands())
                .addProcessor("order-processor", () -> new OrderProcessor(names), "order-events")
                .addProcessor("command-processor", () -> new CommandProcessor(names), "account-commands")
                .addStateStore(
                        cacheAccounts ? accounts.withCachingEnabled() : accounts,
                        "order-processor",
                        "command-processor")
                .addStateStore(store(Names.ORDER_STORE), "order-processor")
                .addStateStore(store(Names.REFERENCE_STORE), "command-processor")
                .addSink(Names.EVENT_SINK, names.accounts(), out, out, "order-processor", "command-processor")
                .addSink(
                        Names.DEAD_LETTER_SINK,
                        names.deadLetters(),
                        out,
                        out,
                        DeadLetters.partitioner(),
                        "order-processor",
                        "command-processor");
    }

    private static StoreBuilder<KeyValueStore<byte[], byte[]>> store(String name) {
        return Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(name), Serdes.ByteArray(), Serdes.ByteArray());
    }
}
