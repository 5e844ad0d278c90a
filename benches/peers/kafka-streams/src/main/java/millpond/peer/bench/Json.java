package millpond.peer.bench;

import java.util.Locale;
import java.util.StringJoiner;

/** One flat JSON object on one line. */
final class Json {
    private final StringJoiner members = new StringJoiner(",", "{", "}");

    Json text(String name, String value) {
        return raw(name, "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"");
    }

    Json number(String name, long value) {
        return raw(name, Long.toString(value));
    }

    /** Adds a number with three decimals, or null when it is not finite. */
    Json number(String name, double value) {
        return raw(name, Double.isFinite(value) ? String.format(Locale.ROOT, "%.3f", value) : "null");
    }

    Json raw(String name, String json) {
        members.add("\"" + name + "\":" + json);
        return this;
    }

    void print() {
        System.out.println(this);
    }

    @Override
    public String toString() {
        return members.toString();
    }
}
