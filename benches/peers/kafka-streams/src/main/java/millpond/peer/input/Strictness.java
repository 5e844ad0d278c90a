package millpond.peer.input;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * What Jackson lets pass and the contract does not: bad UTF-8, a byte order mark, half surrogates, U+0000. Plain
 * ASCII without a backslash cannot have any of it, so ordinary records cost one look at eight bytes at a time.
 */
final class Strictness {
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long HIGH_BITS = 0x8080808080808080L;
    private static final long ONES = 0x0101010101010101L;
    private static final long BACKSLASHES = ONES * '\\';

    private Strictness() {}

    /** Tells whether all bytes are ASCII and none is a backslash. */
    static boolean isPlain(byte[] value) {
        int at = 0;
        for (; at + 8 <= value.length; at += 8) {
            long word = (long) LONGS.get(value, at);
            long differing = word ^ BACKSLASHES;
            long zeros = (differing - ONES) & ~differing & HIGH_BITS;
            if (((word & HIGH_BITS) | zeros) != 0) {
                return false;
            }
        }
        for (; at < value.length; at++) {
            if (value[at] < 0 || value[at] == '\\') {
                return false;
            }
        }
        return true;
    }

    /** Reads the whole text strictly and returns whether a string holds U+0000; refuses what is not JSON. */
    static boolean hasNul(JsonFactory factory, byte[] value) {
        String text;
        try {
            text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value)).toString();
        } catch (CharacterCodingException error) {
            throw new BadRecord(Reason.NOT_JSON, "bytes that are not UTF-8");
        }
        if (text.startsWith("\ufeff")) {
            throw new BadRecord(Reason.NOT_JSON, "a byte order mark");
        }
        boolean nul = false;
        try (JsonParser parser = factory.createParser(text)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token == JsonToken.FIELD_NAME || token == JsonToken.VALUE_STRING) {
                    nul |= inspect(parser.getText());
                }
            }
        } catch (IOException error) {
            throw new BadRecord(Reason.NOT_JSON, error.getMessage());
        }
        return nul;
    }

    private static boolean inspect(String text) {
        boolean nul = false;
        for (int at = 0; at < text.length(); at++) {
            char c = text.charAt(at);
            nul |= c == 0;
            char next = at + 1 < text.length() ? text.charAt(at + 1) : 0;
            if (Character.isSurrogatePair(c, next)) {
                at++;
            } else if (Character.isSurrogate(c)) {
                throw new BadRecord(Reason.NOT_JSON, "a surrogate without its other half");
            }
        }
        return nul;
    }
}
