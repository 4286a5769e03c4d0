package footfall.flink;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Strings as their length and their bytes in one piece: Flink's own format goes character by character. */
public final class EventSerializer extends TypeSerializerSingleton<Event> {
    static final EventSerializer INSTANCE = new EventSerializer();

    @Override
    public boolean isImmutableType() {
        return false;
    }

    @Override
    public Event createInstance() {
        return new Event();
    }

    @Override
    public Event copy(Event from) {
        return copy(from, new Event());
    }

    @Override
    public Event copy(Event from, Event reuse) {
        reuse.product = from.product;
        reuse.user = from.user;
        reuse.longUser = from.longUser;
        reuse.timestamp = from.timestamp;
        return reuse;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Event event, DataOutputView target) throws IOException {
        write(event.product, target);
        target.writeLong(event.user);
        if (event.user == ShortId.NONE) write(event.longUser, target);
    }

    @Override
    public Event deserialize(DataInputView source) throws IOException {
        return deserialize(new Event(), source);
    }

    @Override
    public Event deserialize(Event reuse, DataInputView source) throws IOException {
        reuse.product = read(source);
        reuse.user = source.readLong();
        reuse.longUser = reuse.user == ShortId.NONE ? read(source) : null;
        return reuse;
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public TypeSerializerSnapshot<Event> snapshotConfiguration() {
        return new Snapshot();
    }

    private static void write(String text, DataOutputView target) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        target.writeShort(bytes.length);
        target.write(bytes);
    }

    private static String read(DataInputView source) throws IOException {
        byte[] bytes = new byte[source.readUnsignedShort()];
        source.readFully(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** What a savepoint keeps of this serializer. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Event> {
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
