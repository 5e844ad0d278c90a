package millpond.peer;

import java.util.List;
import millpond.peer.bench.Digest;
import millpond.peer.bench.Drain;
import millpond.peer.bench.Fund;
import millpond.peer.bench.Kill;
import millpond.peer.bench.Observe;
import millpond.peer.bench.Restore;
import millpond.peer.bench.Run;
import millpond.peer.bench.Summary;
import millpond.peer.run.Offsets;
import millpond.peer.run.Options;

/** The peer's modes; results are one line of JSON on standard output. See benches/README.md. */
public final class Main {
    private static final String USAGE = """
            usage: peer MODE OPTIONS

            Of Kafka Streams itself (--brokers --app --state --orders --commands --accounts --deadletters
            [--config default|tuned] [--threads N] [--namespace APP] [--static ID] [--set KEY=VALUE]...):
              fund      takes in all account commands and no order, then ends cleanly
              drain     takes in all orders as fast as possible [--broker-pid PID]
              restore   deletes the local state and restores it from the changelogs
              run       until it is told to end

            Of any system, by its outputs (--brokers --topic); its command line follows `--`, its log goes to
            [--log FILE], the load is [--load SHELL-LINE]:
              observe   latency of the committed outputs [--seconds N] [--skip-seconds N]
              kill      from the start to the first committed output, then from SIGKILL to the next one
                        [--rounds N] [--after-seconds N]

            Around them:
              digest    fingerprints of an output topic's committed records (--brokers --topic) [--what events|letters]
              summary   medians and ratios of result lines on standard input
              forget    deletes topics (--brokers --prefix)
            """;

    private static final List<String> MODES =
            List.of("fund", "drain", "restore", "run", "observe", "kill", "digest", "summary", "forget");

    private Main() {}

    public static void main(String[] args) throws Exception {
        String mode = args.length == 0 ? "" : args[0];
        if (!MODES.contains(mode)) {
            System.err.print(USAGE);
            System.exit(2);
        }
        Options options = new Options(args, 1);
        switch (mode) {
            case "fund" -> Fund.run(options);
            case "drain" -> Drain.run(options);
            case "restore" -> Restore.run(options);
            case "run" -> Run.run(options);
            case "observe" -> Observe.run(options);
            case "kill" -> Kill.run(options);
            case "digest" -> Digest.run(options);
            case "summary" -> Summary.run(System.in);
            default -> forget(options);
        }
        // Threads of clients that do not answer must not keep a finished measurement alive.
        System.exit(0);
    }

    private static void forget(Options options) throws Exception {
        try (Offsets offsets = new Offsets(options.get("brokers"))) {
            System.err.println(offsets.forget(options.get("prefix")) + " topics deleted");
        }
    }
}
