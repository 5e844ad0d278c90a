package millpond.peer.ledger;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts what processors took in, one plain counter each. A redo counts twice, so the sum only tells when it is
 * worth asking the broker what is committed.
 */
public final class Meter {
    private static final Queue<Meter> ALL = new ConcurrentLinkedQueue<>();
    private static final AtomicLong FIRST_ORDER_NANOS = new AtomicLong();

    private final boolean orders;
    private volatile long published;
    private long count;

    Meter(boolean orders) {
        this.orders = orders;
        ALL.add(this);
    }

    void add() {
        if (count == 0 && orders) {
            FIRST_ORDER_NANOS.compareAndSet(0, System.nanoTime());
        }
        count++;
        // One in a few is enough; every record would put a fence on the hot path.
        if ((count & 15) == 0) {
            published = count;
        }
    }

    /** Returns when the first order reached its processor (System.nanoTime), 0 before that. */
    public static long firstOrderNanos() {
        return FIRST_ORDER_NANOS.get();
    }

    /** Returns how many orders, or commands, were taken in; lags by 15 for each task at most. */
    public static long sum(boolean orders) {
        return ALL.stream().filter(meter -> meter.orders == orders).mapToLong(meter -> meter.published).sum();
    }

    /** Returns by how much {@link #sum} may lag. */
    public static long slack() {
        return 16L * ALL.size();
    }
}
