package footfall.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** A whole file: a split of its own, with a watermark of its own. */
record FilePartition(String path, long offset) implements SourceSplit {
    @Override
    public String splitId() {
        return path;
    }

    static final class Serializer implements SimpleVersionedSerializer<FilePartition> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(FilePartition partition) throws IOException {
            var bytes = new ByteArrayOutputStream();
            var out = new DataOutputStream(bytes);
            out.writeUTF(partition.path);
            out.writeLong(partition.offset);
            return bytes.toByteArray();
        }

        @Override
        public FilePartition deserialize(int version, byte[] serialized) throws IOException {
            var in = new DataInputStream(new ByteArrayInputStream(serialized));
            return new FilePartition(in.readUTF(), in.readLong());
        }
    }
}
