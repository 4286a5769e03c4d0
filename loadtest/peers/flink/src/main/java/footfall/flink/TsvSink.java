package footfall.flink;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** A file of tab-separated rows for each parallel task. Flink's FileSink publishes its files at checkpoints, which are off. */
record TsvSink(String folder) implements Sink<Count> {
    @Override
    public SinkWriter<Count> createWriter(WriterInitContext context) throws IOException {
        int task = context.getTaskInfo().getIndexOfThisSubtask();
        return new Writer(Files.newBufferedWriter(Path.of(folder, "rows-" + task + ".tsv")));
    }

    private record Writer(BufferedWriter file) implements SinkWriter<Count> {
        @Override
        public void write(Count count, Context context) throws IOException {
            file.append(count.product()).append('\t')
                    .append(Long.toString(count.windowStartMillis())).append('\t')
                    .append(Long.toString(count.uniqueUsers())).append('\n');
        }

        @Override
        public void flush(boolean isEndOfInput) throws IOException {
            file.flush();
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
