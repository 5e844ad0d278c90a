package millpond.peer.output;

import java.nio.charset.StandardCharsets;
import java.time.LocalDate;

/** Writes timestamps as RFC 3339 in UTC; the date of the last day seen is kept. */
final class Timestamps {
    private static final long DAY_MS = 86_400_000;

    private long day = Long.MIN_VALUE;
    private byte[] date;

    void append(long timestampMs, JsonBuffer out) {
        long ms = Math.max(timestampMs, 0);
        if (ms / DAY_MS != day) {
            day = ms / DAY_MS;
            date = LocalDate.ofEpochDay(day).toString().getBytes(StandardCharsets.ISO_8859_1);
        }
        int rest = (int) (ms % DAY_MS);
        out.raw(date).raw('T').padded(rest / 3_600_000, 2).raw(':').padded(rest / 60_000 % 60, 2).raw(':');
        out.padded(rest / 1_000 % 60, 2).raw('.').padded(rest % 1_000, 3).raw('Z');
    }
}
