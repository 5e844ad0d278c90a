package millpond.peer.bench;

import java.util.concurrent.CountDownLatch;
import millpond.peer.run.Options;
import millpond.peer.run.Peer;

/** Runs until SIGTERM, then ends cleanly. */
public final class Run {
    private static final long LIMIT_S = 600;

    private Run() {}

    public static void run(Options options) throws Exception {
        Peer peer = new Peer(options);
        Runtime.getRuntime().addShutdownHook(new Thread(peer::close));
        peer.start();
        long running = peer.awaitRunning(LIMIT_S);
        new Json().text("part", "run").number("secondsToRunning", (running - Proc.startNanos()) / 1e9).print();
        CountDownLatch never = new CountDownLatch(1);
        while (never.getCount() > 0) {
            peer.check();
            Thread.sleep(100);
        }
    }
}
