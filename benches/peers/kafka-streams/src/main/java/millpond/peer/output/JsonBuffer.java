package millpond.peer.output;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** ASCII bytes that grow, written without formatting machinery. */
final class JsonBuffer {
    private static final byte[] MIN = Long.toString(Long.MIN_VALUE).getBytes(StandardCharsets.ISO_8859_1);

    private byte[] bytes = new byte[512];
    private int length;

    void clear() {
        length = 0;
    }

    byte[] bytes() {
        return bytes;
    }

    int length() {
        return length;
    }

    byte[] copy() {
        return Arrays.copyOf(bytes, length);
    }

    private void reserve(int more) {
        if (length + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + more));
        }
    }

    JsonBuffer raw(byte[] text) {
        reserve(text.length);
        System.arraycopy(text, 0, bytes, length, text.length);
        length += text.length;
        return this;
    }

    JsonBuffer raw(int c) {
        reserve(1);
        bytes[length++] = (byte) c;
        return this;
    }

    /** Appends printable ASCII between quotes. */
    JsonBuffer text(String text) {
        reserve(2 * text.length() + 2);
        bytes[length++] = '"';
        for (int at = 0; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '"' || c == '\\') {
                bytes[length++] = '\\';
            }
            bytes[length++] = (byte) c;
        }
        bytes[length++] = '"';
        return this;
    }

    JsonBuffer textOrNull(String text) {
        return text == null ? raw(AccountEvents.NULL) : text(text);
    }

    JsonBuffer number(long number) {
        if (number == Long.MIN_VALUE) {
            return raw(MIN);
        }
        reserve(20);
        long rest = number;
        if (rest < 0) {
            bytes[length++] = '-';
            rest = -rest;
        }
        int digits = 1;
        for (long bound = 10; digits < 19 && rest >= bound; bound *= 10) {
            digits++;
        }
        length += digits;
        for (int at = length - 1, left = digits; left > 0; left--, at--) {
            bytes[at] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        return this;
    }

    /** Appends a number with zeros in front. */
    JsonBuffer padded(int number, int width) {
        reserve(width);
        int rest = number;
        for (int at = length + width - 1; at >= length; at--) {
            bytes[at] = (byte) ('0' + rest % 10);
            rest /= 10;
        }
        length += width;
        return this;
    }
}
