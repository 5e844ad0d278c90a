package millpond.peer.input;

/** Judges whether a text is a date and time of RFC 3339. A leap second is accepted at any minute. */
final class Rfc3339 {
    private final char[] text;
    private final int end;
    private int at;

    private Rfc3339(char[] text, int offset, int length) {
        this.text = text;
        this.at = offset;
        this.end = offset + length;
    }

    static boolean is(char[] text, int offset, int length) {
        return new Rfc3339(text, offset, length).check();
    }

    private boolean check() {
        int year = number(4);
        boolean date = year >= 0 && one('-', '-');
        int month = date ? number(2) : -1;
        date = month >= 1 && month <= 12 && one('-', '-');
        int day = date ? number(2) : -1;
        date = day >= 1 && day <= daysIn(year, month) && one('T', 't');
        if (!date || !upTo(23) || !one(':', ':') || !upTo(59) || !one(':', ':') || !upTo(60)) {
            return false;
        }
        if (one('.', '.')) {
            int first = at;
            while (at < end && isDigit(text[at])) {
                at++;
            }
            if (at == first) {
                return false;
            }
        }
        boolean zone = one('Z', 'z') || (one('+', '-') && upTo(23) && one(':', ':') && upTo(59));
        return zone && at == end;
    }

    private static int daysIn(int year, int month) {
        return switch (month) {
            case 2 -> year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
            case 4, 6, 9, 11 -> 30;
            default -> 31;
        };
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    /** Takes one character out of two. */
    private boolean one(char a, char b) {
        if (at < end && (text[at] == a || text[at] == b)) {
            at++;
            return true;
        }
        return false;
    }

    /** Takes two digits of at most {@code max}. */
    private boolean upTo(int max) {
        int number = number(2);
        return number >= 0 && number <= max;
    }

    /** Takes {@code width} digits; -1 when they are not there. */
    private int number(int width) {
        if (end - at < width) {
            return -1;
        }
        int number = 0;
        for (int i = 0; i < width; i++) {
            char c = text[at++];
            if (!isDigit(c)) {
                return -1;
            }
            number = number * 10 + (c - '0');
        }
        return number;
    }
}
