package footfall.flink;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;

/**
 * Reads in the task's own thread: a thread that reads ahead has to hand every batch over, which costs more than reading a
 * file that is in the page cache.
 */
final class PartitionedFilesReader implements SourceReader<Event, FilePartition> {
    private final List<FileLines> open = new ArrayList<>();
    private final Event event = new Event();
    private CompletableFuture<Void> available = new CompletableFuture<>();
    private boolean hasAll;

    @Override
    public void start() {}

    @Override
    public InputStatus pollNext(ReaderOutput<Event> output) throws IOException {
        if (open.isEmpty()) {
            if (hasAll) return InputStatus.END_OF_INPUT;
            available = new CompletableFuture<>();
            return InputStatus.NOTHING_AVAILABLE;
        }
        // The one that is behind: files of unequal length stay aligned, and few windows are open at once.
        FileLines next = open.get(0);
        for (FileLines other : open) {
            if (other.lastTimestamp() < next.lastTimestamp()) next = other;
        }
        var partition = output.createOutputForSplit(next.path());
        if (next.readBlock(event, partition)) return InputStatus.MORE_AVAILABLE;
        next.close();
        open.remove(next);
        output.releaseOutputForSplit(next.path());
        return InputStatus.MORE_AVAILABLE;
    }

    @Override
    public List<FilePartition> snapshotState(long checkpoint) {
        return open.stream().map(lines -> new FilePartition(lines.path(), lines.offset())).toList();
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return available;
    }

    @Override
    public void addSplits(List<FilePartition> partitions) {
        try {
            for (FilePartition partition : partitions) open.add(new FileLines(partition));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        available.complete(null);
    }

    @Override
    public void notifyNoMoreSplits() {
        hasAll = true;
        available.complete(null);
    }

    @Override
    public void close() throws IOException {
        for (FileLines lines : open) lines.close();
    }
}
