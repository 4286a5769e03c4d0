package footfall.flink;

import java.io.Closeable;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.connector.source.SourceOutput;

/** The events of one file, a block of lines at a time. */
final class FileLines implements Closeable {
    /** Some hundred lines: the task looks after its timers and watermarks between blocks. */
    private static final int BLOCK_BYTES = 128 * 1024;

    private final String path;
    private final FileInputStream file;
    private final LineParser parser = new LineParser();
    private final byte[] block = new byte[BLOCK_BYTES];
    /** The bytes at the block's start that belong to a line whose end is not read yet. */
    private int kept;
    /** Of the first byte in the block. */
    private long offset;
    /** The present line is longer than a block: malformed, all of it. */
    private boolean inOversizedLine;
    private long lastTimestamp = Long.MIN_VALUE;

    FileLines(FilePartition partition) throws IOException {
        path = partition.path();
        file = new FileInputStream(path);
        offset = partition.offset();
        file.getChannel().position(offset);
    }

    String path() {
        return path;
    }

    long offset() {
        return offset;
    }

    long lastTimestamp() {
        return lastTimestamp;
    }

    /** Emits the next block's events; false at the end of the file. */
    boolean readBlock(Event event, SourceOutput<Event> output) throws IOException {
        int read = file.read(block, kept, block.length - kept);
        if (read < 0) {
            // The last line may lack its line end.
            if (kept > 0) emit(0, kept, event, output);
            return false;
        }
        int end = kept + read;
        // As a string only for its search, which the JVM does with vector instructions.
        String text = new String(block, 0, end, StandardCharsets.ISO_8859_1);
        int from = 0;
        for (int at = text.indexOf('\n', kept); at >= 0; at = text.indexOf('\n', from)) {
            emit(from, at, event, output);
            from = at + 1;
        }
        keep(from, end);
        return true;
    }

    private void keep(int from, int end) {
        kept = end - from;
        if (kept == block.length) {
            inOversizedLine = true;
            kept = 0;
            from = end;
        }
        System.arraycopy(block, from, block, 0, kept);
        offset += from;
    }

    private void emit(int from, int to, Event event, SourceOutput<Event> output) {
        boolean isEvent = !inOversizedLine && parser.parse(block, from, to, event);
        inOversizedLine = false;
        if (!isEvent) {
            Malformed.count();
            return;
        }
        lastTimestamp = event.timestamp;
        output.collect(event, event.timestamp);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
