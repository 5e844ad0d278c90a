package millpond.peer.bench;

import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import millpond.peer.run.Options;

/** A measured system as a process of its own, and the load on it; both end when this is closed. */
final class Subject implements AutoCloseable {
    private static final long STOP_S = 60;

    private final List<String> command;
    private final List<String> load;
    private final File log;
    private Process system;
    private Process loader;

    /** Reads the system's command line (after `--`), its log and the shell line of the load. */
    Subject(Options options) {
        command = options.command();
        String line = options.get("load", "");
        load = line.isEmpty() ? List.of() : List.of("sh", "-c", "exec " + line);
        log = new File(options.get("log", "/dev/null"));
    }

    private Process start(List<String> line) throws IOException {
        return new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log))
                .start();
    }

    void start() throws IOException {
        system = start(command);
    }

    void startLoad() throws IOException {
        if (!load.isEmpty()) {
            loader = start(load);
        }
    }

    /** Kills the system with SIGKILL and returns when it is gone. */
    void kill() throws InterruptedException {
        system.destroyForcibly();
        system.waitFor();
    }

    void stopLoad() throws InterruptedException {
        stop(loader);
    }

    /** Throws when the system has ended by itself. */
    void check() {
        if (!system.isAlive()) {
            throw new IllegalStateException("the system ended with " + system.exitValue() + ": see " + log);
        }
    }

    String pid() {
        return Long.toString(system.pid());
    }

    private static void stop(Process process) throws InterruptedException {
        if (process == null) {
            return;
        }
        process.destroy();
        if (!process.waitFor(STOP_S, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            process.waitFor();
        }
    }

    @Override
    public void close() throws InterruptedException {
        stop(loader);
        stop(system);
    }
}
