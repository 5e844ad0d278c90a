package millpond.peer.run;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** `--name value` pairs; `--set key=value` may be repeated, and what follows `--` is another program's. */
public final class Options {
    private final Map<String, String> values = new HashMap<>();
    private final Map<String, String> settings = new LinkedHashMap<>();
    private final List<String> command = new ArrayList<>();

    /** Reads the arguments from {@code from} on. */
    public Options(String[] args, int from) {
        for (int at = from; at < args.length; at += 2) {
            if (args[at].equals("--")) {
                command.addAll(List.of(args).subList(at + 1, args.length));
                return;
            }
            if (!args[at].startsWith("--") || at + 1 == args.length) {
                throw new IllegalArgumentException("not an option with its value: " + args[at]);
            }
            put(args[at].substring(2), args[at + 1]);
        }
    }

    private void put(String name, String value) {
        if (!name.equals("set")) {
            values.put(name, value);
            return;
        }
        String[] parts = value.split("=", 2);
        if (parts.length != 2) {
            throw new IllegalArgumentException("not key=value: " + value);
        }
        settings.put(parts[0], parts[1]);
    }

    public String get(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    public String get(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    public long number(String name, long otherwise) {
        String value = values.get(name);
        return value == null ? otherwise : Long.parseLong(value);
    }

    /** Returns the settings of Kafka Streams that were given by hand. */
    Map<String, String> settings() {
        return settings;
    }

    /** Returns the command line after `--`. */
    public List<String> command() {
        return command;
    }
}
