package millpond.peer.bench;

import java.util.HashMap;
import java.util.Map;
import millpond.peer.run.Offsets;
import millpond.peer.run.Options;
import millpond.peer.run.Peer;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;

/**
 * Takes in all account commands before any order, as the other system did before the orders were written: the
 * group's offsets of the orders stand at the end meanwhile, and at the beginning again afterwards.
 */
public final class Fund {
    private Fund() {}

    public static void run(Options options) throws Exception {
        String app = options.get("app");
        try (Offsets offsets = new Offsets(options.get("brokers"))) {
            Map<TopicPartition, Long> start = offsets.list(options.get("orders"), OffsetSpec.earliest());
            Map<TopicPartition, Long> ends = offsets.list(options.get("commands"), OffsetSpec.latest());
            offsets.commit(app, offsets.list(options.get("orders"), OffsetSpec.latest()));
            try (Peer peer = new Peer(options)) {
                peer.start();
                peer.awaitCommitted(offsets, app, ends);
            }
            offsets.commit(app, new HashMap<>(start));
            long commands = ends.values().stream().mapToLong(Long::longValue).sum();
            new Json().text("part", "fund").number("commands", commands).print();
        }
    }
}
