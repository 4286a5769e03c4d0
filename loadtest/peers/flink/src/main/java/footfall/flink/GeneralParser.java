package footfall.flink;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads an event in any JSON layout, by the rules of docs/reference/events.md. */
final class GeneralParser {
    static final int MAX_LINE_BYTES = 65_536;
    private static final int MAX_DEPTH = 128;
    private static final int MAX_TEXT_BYTES = 256;
    private static final long MILLIS_FROM_1970_TO_10000 = 253_402_300_800_000L;
    private static final Pattern RFC3339 = Pattern.compile(
            "(\\d{4})-(\\d\\d)-(\\d\\d)[Tt](\\d\\d):(\\d\\d):(\\d\\d)(?:\\.(\\d+))?(?:[Zz]|([+-])(\\d\\d):(\\d\\d))");

    private final JsonFactory factory = new JsonFactoryBuilder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH).maxNumberLength(MAX_LINE_BYTES).build())
            .build();

    /** Fills {@code event}; false means that the line is no valid event. */
    boolean parse(byte[] line, int from, int to, Event event) {
        if (to - from > MAX_LINE_BYTES) return false;
        try {
            // Decoded first: Jackson's own reader of bytes lets some malformed UTF-8 pass.
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line, from, to - from)).toString();
            return parse(text, event);
        } catch (IOException e) {
            // No UTF-8, no JSON, or nested too deep.
            return false;
        }
    }

    private boolean parse(String text, Event event) throws IOException {
        String user = null;
        String product = null;
        String type = null;
        String timestamp = null;
        try (var json = factory.createParser(text)) {
            if (json.nextToken() != JsonToken.START_OBJECT) return false;
            while (json.nextToken() != JsonToken.END_OBJECT) {
                String name = json.currentName();
                JsonToken value = json.nextToken();
                // Of a key that occurs twice the last value counts, also when it is no valid one.
                switch (name) {
                    case "user_id" -> user = id(value, json);
                    case "product_id" -> product = id(value, json);
                    case "event_type" -> type = string(value, json);
                    case "timestamp" -> timestamp = string(value, json);
                    default -> { }
                }
                json.skipChildren();
            }
            if (json.nextToken() != null) return false;
        }
        if (!isText(user) || !isText(product) || !isText(type) || timestamp == null) return false;
        long millis = millis(timestamp);
        if (millis < 0 || millis >= MILLIS_FROM_1970_TO_10000) return false;
        byte[] userBytes = user.getBytes(StandardCharsets.UTF_8);
        event.user = ShortId.of(userBytes, 0, userBytes.length);
        event.longUser = event.user == ShortId.NONE ? user : null;
        event.product = product;
        event.timestamp = millis;
        return true;
    }

    private static String id(JsonToken token, JsonParser json) throws IOException {
        return token == JsonToken.VALUE_NUMBER_INT ? json.getText() : string(token, json);
    }

    private static String string(JsonToken token, JsonParser json) throws IOException {
        return token == JsonToken.VALUE_STRING ? json.getText() : null;
    }

    /** 1 to 256 bytes of UTF-8; a lone surrogate, which an escape can make, has no UTF-8. */
    private static boolean isText(String text) {
        if (text == null || text.isEmpty()) return false;
        try {
            return StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text)).remaining() <= MAX_TEXT_BYTES;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    /** Milliseconds since 1970 of an RFC 3339 time, or -1. */
    private static long millis(String timestamp) {
        Matcher m = RFC3339.matcher(timestamp);
        if (!m.matches()) return -1;
        try {
            var local = LocalDateTime.of(number(m, 1), number(m, 2), number(m, 3), number(m, 4), number(m, 5), number(m, 6));
            long offsetMinutes = 0;
            if (m.group(8) != null) {
                if (number(m, 9) > 23 || number(m, 10) > 59) return -1;
                offsetMinutes = (number(m, 9) * 60L + number(m, 10)) * (m.group(8).equals("-") ? -1 : 1);
            }
            int milli = m.group(7) == null ? 0 : Integer.parseInt((m.group(7) + "00").substring(0, 3));
            return (local.toEpochSecond(ZoneOffset.UTC) - offsetMinutes * 60) * 1000 + milli;
        } catch (DateTimeException e) {
            // A day or an hour that the calendar lacks.
            return -1;
        }
    }

    private static int number(Matcher m, int group) {
        return Integer.parseInt(m.group(group));
    }
}
