package footfall.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** The command line: VARIANT --parallelism N --output DIR (--files FILE... | --bootstrap HOST:PORT --topic TOPIC). */
record Arguments(String variant, int parallelism, String output, List<String> files, String bootstrap, String topic) {
    private static final Set<String> VARIANTS = Set.of("datastream", "sql", "kafka");

    static Arguments parse(String[] args) {
        if (args.length == 0) throw new IllegalArgumentException("no variant; give datastream, sql or kafka");
        if (!VARIANTS.contains(args[0])) {
            throw new IllegalArgumentException("unknown variant " + args[0] + "; give datastream, sql or kafka");
        }
        int parallelism = 0;
        String output = null;
        String bootstrap = null;
        String topic = null;
        List<String> files = new ArrayList<>();
        for (int i = 1; i < args.length; i += 2) {
            if (i + 1 == args.length) throw new IllegalArgumentException(args[i] + " lacks its value");
            String value = args[i + 1];
            switch (args[i]) {
                case "--parallelism" -> parallelism = parallelism(value);
                case "--output" -> output = value;
                case "--bootstrap" -> bootstrap = value;
                case "--topic" -> topic = value;
                case "--files" -> {
                    for (; i + 1 < args.length && !args[i + 1].startsWith("--"); i++) files.add(args[i + 1]);
                    i--;
                }
                default -> throw new IllegalArgumentException("unknown argument " + args[i]);
            }
        }
        if (parallelism == 0) throw new IllegalArgumentException("no --parallelism N");
        if (output == null) throw new IllegalArgumentException("no --output DIR");
        if (args[0].equals("kafka")) {
            if (bootstrap == null || topic == null) throw new IllegalArgumentException("kafka needs --bootstrap and --topic");
        } else if (files.isEmpty()) {
            throw new IllegalArgumentException(args[0] + " needs --files FILE...");
        }
        return new Arguments(args[0], parallelism, output, List.copyOf(files), bootstrap, topic);
    }

    private static int parallelism(String value) {
        try {
            int parallelism = Integer.parseInt(value);
            if (parallelism > 0) return parallelism;
        } catch (NumberFormatException e) {
            // Said below, as for a number that is too small.
        }
        throw new IllegalArgumentException("--parallelism is " + value + "; give a number of 1 or more");
    }
}
