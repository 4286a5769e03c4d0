package footfall.flink;

import java.util.concurrent.atomic.AtomicLong;

/** How many lines were skipped. One counter for all tasks: the whole job runs in this one process. */
final class Malformed {
    private static final AtomicLong LINES = new AtomicLong();

    private Malformed() {}

    static void count() {
        LINES.incrementAndGet();
    }

    static long lines() {
        return LINES.get();
    }
}
