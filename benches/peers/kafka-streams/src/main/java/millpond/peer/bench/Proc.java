package millpond.peer.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the kernel says of processes and of the machine. */
final class Proc {
    /** Clock ticks per second, fixed on Linux. */
    private static final double TICKS = 100;

    private Proc() {}

    /** Returns user and system CPU seconds of a process since its start, NaN when it cannot be read. */
    static double cpuSeconds(String pid) {
        try {
            String stat = Files.readString(Path.of("/proc", pid, "stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS;
        } catch (IOException error) {
            return Double.NaN;
        }
    }

    /** Returns this process's peak resident memory, MiB. */
    static double peakMib() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024.0;
            }
        }
        return Double.NaN;
    }

    /** Returns the machine's ticks, busy and all. */
    static long[] machineTicks() throws IOException {
        String[] fields = Files.readAllLines(Path.of("/proc/stat")).get(0).trim().split(" +");
        long all = 0;
        for (int at = 1; at < fields.length; at++) {
            all += Long.parseLong(fields[at]);
        }
        long idle = Long.parseLong(fields[4]) + Long.parseLong(fields[5]);
        return new long[] {all - idle, all};
    }

    static double busyShare(long[] before, long[] after) {
        return after[1] == before[1] ? 0 : (after[0] - before[0]) / (double) (after[1] - before[1]);
    }

    /** Returns when this process was started, as a value of System.nanoTime. */
    static long startNanos() {
        long ageMs = System.currentTimeMillis()
                - ProcessHandle.current().info().startInstant().orElseThrow().toEpochMilli();
        return System.nanoTime() - ageMs * 1_000_000;
    }
}
