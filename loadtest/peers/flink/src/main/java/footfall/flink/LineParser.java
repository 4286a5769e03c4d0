package footfall.flink;

import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.Arrays;

/**
 * Reads a line of the usual layout (the four fields in order, no white space, no escapes, ASCII, then at most a flat object
 * of strings) in one pass. Whatever is not exactly so goes to {@link GeneralParser}, which alone refuses.
 */
final class LineParser {
    private static final int MAX_ID_BYTES = 256;
    private static final byte[] USER = ascii("{\"user_id\":\"");
    private static final byte[] PRODUCT = ascii(",\"product_id\":\"");
    private static final byte[] TYPE = ascii(",\"event_type\":\"");
    private static final byte[] TIMESTAMP = ascii(",\"timestamp\":\"");
    private static final byte[] METADATA = ascii(",\"metadata\":{\"");

    private final GeneralParser general = new GeneralParser();
    private int cachedDate = -1;
    private long cachedDateMillis;

    /** Fills {@code event}; false means that the line is no valid event. */
    boolean parse(byte[] line, int from, int to, Event event) {
        return parseUsual(line, from, to, event) || general.parse(line, from, to, event);
    }

    private boolean parseUsual(byte[] b, int from, int to, Event event) {
        if (to - from > GeneralParser.MAX_LINE_BYTES || !startsWith(b, from, to, USER)) return false;
        int userFrom = from + USER.length;
        int userTo = endOfString(b, userFrom, to);
        if (!isId(userFrom, userTo) || !startsWith(b, userTo + 1, to, PRODUCT)) return false;
        int productFrom = userTo + 1 + PRODUCT.length;
        int productTo = endOfString(b, productFrom, to);
        if (!isId(productFrom, productTo) || !startsWith(b, productTo + 1, to, TYPE)) return false;
        int typeFrom = productTo + 1 + TYPE.length;
        int typeTo = endOfString(b, typeFrom, to);
        if (!isId(typeFrom, typeTo) || !startsWith(b, typeTo + 1, to, TIMESTAMP)) return false;
        int timeFrom = typeTo + 1 + TIMESTAMP.length;
        int timeTo = endOfString(b, timeFrom, to);
        if (timeTo - timeFrom != "2024-01-01T12:00:00.000Z".length()) return false;
        long timestamp = timestamp(b, timeFrom);
        if (timestamp < 0 || !isEnd(b, timeTo + 1, to)) return false;
        event.user = ShortId.of(b, userFrom, userTo);
        event.longUser = event.user == ShortId.NONE ? string(b, userFrom, userTo) : null;
        event.product = string(b, productFrom, productTo);
        event.timestamp = timestamp;
        return true;
    }

    /** Nothing more than `}`, or a flat object of strings whose keys need no look and `}}`. */
    private static boolean isEnd(byte[] b, int at, int to) {
        if (at + 1 == to) return b[at] == '}';
        if (!startsWith(b, at, to, METADATA)) return false;
        at += METADATA.length;
        while (true) {
            int keyTo = endOfString(b, at, to);
            if (keyTo < 0 || keyTo + 2 >= to || b[keyTo + 1] != ':' || b[keyTo + 2] != '"') return false;
            int valueTo = endOfString(b, keyTo + 3, to);
            if (valueTo < 0 || valueTo + 2 >= to) return false;
            if (b[valueTo + 1] == '}') return valueTo + 3 == to && b[valueTo + 2] == '}';
            if (b[valueTo + 1] != ',' || b[valueTo + 2] != '"') return false;
            at = valueTo + 3;
        }
    }

    /** Where the string's closing quote stands; -1 at an escape, a control character or a byte beyond ASCII. */
    private static int endOfString(byte[] b, int at, int to) {
        for (; at < to; at++) {
            byte c = b[at];
            if (c == '"') return at;
            if (c < ' ' || c == '\\') return -1;
        }
        return -1;
    }

    private static boolean isId(int from, int to) {
        return to > from && to - from <= MAX_ID_BYTES;
    }

    /** Milliseconds of `yyyy-MM-ddTHH:mm:ss.SSSZ`, or -1. */
    private long timestamp(byte[] b, int i) {
        if (b[i + 4] != '-' || b[i + 7] != '-' || b[i + 10] != 'T' || b[i + 13] != ':' || b[i + 16] != ':'
                || b[i + 19] != '.' || b[i + 23] != 'Z') {
            return -1;
        }
        int year = digits(b, i, 4);
        int month = digits(b, i + 5, 2);
        int day = digits(b, i + 8, 2);
        int hour = digits(b, i + 11, 2);
        int minute = digits(b, i + 14, 2);
        int second = digits(b, i + 17, 2);
        int milli = digits(b, i + 20, 3);
        if ((year | month | day | hour | minute | second | milli) < 0 || hour > 23 || minute > 59 || second > 59) return -1;
        int date = (year * 100 + month) * 100 + day;
        if (date != cachedDate) {
            try {
                cachedDateMillis = LocalDate.of(year, month, day).toEpochDay() * 86_400_000L;
            } catch (DateTimeException e) {
                // A day that the calendar lacks: the general parser refuses it too.
                return -1;
            }
            cachedDate = date;
        }
        return cachedDateMillis + ((hour * 60 + minute) * 60 + second) * 1000L + milli;
    }

    /** Negative if one of the bytes is no digit. */
    private static int digits(byte[] b, int at, int count) {
        int value = 0;
        for (int end = at + count; at < end; at++) {
            int digit = b[at] - '0';
            if (digit < 0 || digit > 9) return -1;
            value = value * 10 + digit;
        }
        return value;
    }

    private static boolean startsWith(byte[] b, int at, int to, byte[] expected) {
        return at + expected.length <= to
                && Arrays.equals(b, at, at + expected.length, expected, 0, expected.length);
    }

    private static String string(byte[] b, int from, int to) {
        return new String(b, from, to - from, StandardCharsets.ISO_8859_1);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
