package footfall.flink;

/**
 * An id of 1 to 8 bytes of UTF-8 in one number, its first byte topmost and zeros before it: the ids of most users cost no object,
 * neither on the wire nor in a window's set. Longer ids, and those with a zero byte, stay strings.
 */
final class ShortId {
    static final long NONE = 0;

    private ShortId() {}

    static long of(byte[] bytes, int from, int to) {
        if (to - from > Long.BYTES) return NONE;
        long id = 0;
        for (int at = from; at < to; at++) {
            if (bytes[at] == 0) return NONE;
            id = id << 8 | bytes[at] & 0xff;
        }
        return id;
    }

    static byte[] bytes(long id) {
        byte[] bytes = new byte[Long.BYTES - Long.numberOfLeadingZeros(id) / 8];
        for (int at = bytes.length - 1; at >= 0; at--, id >>>= 8) bytes[at] = (byte) id;
        return bytes;
    }
}
