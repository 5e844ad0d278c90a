package millpond.peer.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/**
 * Reads result lines and prints, for every part and figure, each system's median, and how far ours is ahead of the
 * best of the others: above 1 is better, whichever way the figure counts.
 */
public final class Summary {
    private static final String OURS = "millpond";
    /** The figures that are shown; of those with `PerSecond` more is better, of the others less. */
    private static final List<String> FIGURES = List.of(
            "ordersPerSecond",
            "recordsPerSecond",
            "seconds",
            "secondsFromStart",
            "cpuSecondsPerMillion",
            "brokerCpuSecondsPerMillion",
            "peakMiB",
            "p50Ms",
            "p99Ms",
            "p999Ms",
            "maxMs",
            "cores",
            "machineBusyShare");

    private Summary() {}

    /** part -> figure -> system -> values */
    private static final class Results
            extends LinkedHashMap<String, Map<String, Map<String, List<Double>>>> {
        private static final long serialVersionUID = 1;
    }

    public static void run(InputStream in) throws IOException {
        Results results = new Results();
        BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            read(line, results);
        }
        results.forEach(Summary::print);
    }

    private static void read(String line, Results results) throws IOException {
        Map<String, Double> numbers = new LinkedHashMap<>();
        Map<String, String> texts = new LinkedHashMap<>();
        try (JsonParser parser = new JsonFactory().createParser(line)) {
            parser.nextToken();
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken token = parser.nextToken();
                if (token.isNumeric()) {
                    numbers.put(name, parser.getDoubleValue());
                } else if (token == JsonToken.VALUE_STRING) {
                    texts.put(name, parser.getText());
                } else {
                    parser.skipChildren();
                }
            }
        }
        String part = texts.get("part");
        for (String figure : FIGURES) {
            if (numbers.containsKey(figure)) {
                results.computeIfAbsent(part, name -> new LinkedHashMap<>())
                        .computeIfAbsent(figure, name -> new LinkedHashMap<>())
                        .computeIfAbsent(texts.get("system"), name -> new ArrayList<>())
                        .add(numbers.get(figure));
            }
        }
    }

    private static void print(String part, Map<String, Map<String, List<Double>>> figures) {
        TreeSet<String> systems = new TreeSet<>();
        figures.values().forEach(figure -> systems.addAll(figure.keySet()));
        System.out.printf("%n%-28s", part);
        systems.forEach(system -> System.out.printf(" %28s", system));
        System.out.printf(" %10s%n", "ahead by");
        for (String name : FIGURES) {
            Map<String, List<Double>> figure = figures.get(name);
            if (figure == null) {
                continue;
            }
            System.out.printf("%-28s", name);
            for (String system : systems) {
                List<Double> values = figure.get(system);
                String shown = values == null ? "-" : format(median(values)) + " (" + values.size() + ")";
                System.out.printf(" %28s", shown);
            }
            System.out.printf(" %10s%n", name.equals("machineBusyShare") ? "" : ahead(name, figure));
        }
    }

    private static String ahead(String name, Map<String, List<Double>> figure) {
        boolean moreIsBetter = name.endsWith("PerSecond");
        double best = Double.NaN;
        for (Map.Entry<String, List<Double>> system : figure.entrySet()) {
            double median = median(system.getValue());
            boolean better = Double.isNaN(best) || (moreIsBetter ? median > best : median < best);
            if (!system.getKey().equals(OURS) && better) {
                best = median;
            }
        }
        if (!figure.containsKey(OURS) || Double.isNaN(best)) {
            return "-";
        }
        double ours = median(figure.get(OURS));
        return String.format(Locale.ROOT, "%.2fx", moreIsBetter ? ours / best : best / ours);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }

    private static String format(double value) {
        return String.format(Locale.ROOT, value >= 1_000 ? "%,.0f" : "%.3f", value);
    }
}
