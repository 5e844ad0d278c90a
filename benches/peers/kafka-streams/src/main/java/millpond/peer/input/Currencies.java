package millpond.peer.input;

/** Currency codes packed into an int, the first letter lowest: compared and stored without objects. */
public final class Currencies {
    /** The currency of an account that names none. */
    public static final int CNY = pack('C', 'N', 'Y');

    private Currencies() {}

    private static int pack(int first, int second, int third) {
        return first | second << 8 | third << 16;
    }

    /** Returns the code, or 0 when the text is not three of A to Z. */
    static int parse(char[] text, int offset, int length) {
        if (length != 3) {
            return 0;
        }
        for (int at = offset; at < offset + 3; at++) {
            if (text[at] < 'A' || text[at] > 'Z') {
                return 0;
            }
        }
        return pack(text[offset], text[offset + 1], text[offset + 2]);
    }
}
