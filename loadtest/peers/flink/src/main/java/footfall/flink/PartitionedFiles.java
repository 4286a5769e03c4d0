package footfall.flink;

import java.io.IOException;
import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * NDJSON files as partitions of one stream. Flink's own FileSource hands a reader one file after the other: with fewer readers
 * than files, the watermark has passed the second file before it is opened, and all of its events are late. Here each reader
 * gets its files at once and reads them side by side, as a KafkaSource does with its partitions.
 */
public final class PartitionedFiles implements Source<Event, FilePartition, Void> {
    private final List<String> paths;

    public PartitionedFiles(List<String> paths) {
        this.paths = List.copyOf(paths);
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<Event, FilePartition> createReader(SourceReaderContext context) {
        return new PartitionedFilesReader();
    }

    @Override
    public SplitEnumerator<FilePartition, Void> createEnumerator(SplitEnumeratorContext<FilePartition> context) {
        return new Enumerator(context, paths);
    }

    @Override
    public SplitEnumerator<FilePartition, Void> restoreEnumerator(SplitEnumeratorContext<FilePartition> context, Void nothing) {
        // What was assigned before is in the readers' own checkpoints.
        return new Enumerator(context, List.of());
    }

    @Override
    public SimpleVersionedSerializer<FilePartition> getSplitSerializer() {
        return new FilePartition.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<Void> getEnumeratorCheckpointSerializer() {
        return new SimpleVersionedSerializer<>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(Void nothing) {
                return new byte[0];
            }

            @Override
            public Void deserialize(int version, byte[] serialized) {
                return null;
            }
        };
    }

    /** File i goes to reader i modulo the parallelism, as soon as that reader is there. */
    private record Enumerator(SplitEnumeratorContext<FilePartition> context, List<String> paths)
            implements SplitEnumerator<FilePartition, Void> {
        @Override
        public void start() {}

        @Override
        public void addReader(int reader) {
            for (int i = reader; i < paths.size(); i += context.currentParallelism()) {
                context.assignSplit(new FilePartition(paths.get(i), 0), reader);
            }
            context.signalNoMoreSplits(reader);
        }

        @Override
        public void handleSplitRequest(int reader, String host) {}

        @Override
        public void addSplitsBack(List<FilePartition> partitions, int reader) {
            partitions.forEach(partition -> context.assignSplit(partition, reader));
        }

        @Override
        public Void snapshotState(long checkpoint) {
            return null;
        }

        @Override
        public void close() throws IOException {}
    }
}
