package millpond.peer.input;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.Arrays;

/** The captured payload fields: what kind of value each had, and the value where it is needed. */
final class Values {
    static final byte ABSENT = 0;
    static final byte NULL = 1;
    /** An integer token that fits a long. */
    static final byte INTEGER = 2;
    /** An integer token beyond a long. */
    static final byte HUGE = 3;
    /** 1 to 128 bytes of printable ASCII. */
    static final byte TEXT = 4;
    static final byte OTHER = 5;

    private static final int TEXT_MAX = 128;
    private static final long AMOUNT_MAX = 1_000_000_000_000_000L;

    private final byte[] kinds = new byte[Field.values().length];
    private final long[] numbers = new long[kinds.length];
    private final String[] texts = new String[kinds.length];

    void clear() {
        Arrays.fill(kinds, ABSENT);
    }

    boolean isThere(Field field) {
        return kinds[field.ordinal()] != ABSENT;
    }

    void set(Field field, byte kind) {
        kinds[field.ordinal()] = kind;
    }

    /** Captures a scalar; the caller skips what is inside an array or object. */
    void capture(Field field, JsonParser parser, JsonToken token) throws IOException {
        int place = field.ordinal();
        byte kind = kind(parser, token);
        kinds[place] = kind;
        if (kind == INTEGER) {
            numbers[place] = parser.getLongValue();
        } else if (kind == TEXT && field == Field.CURRENCY) {
            numbers[place] =
                    Currencies.parse(parser.getTextCharacters(), parser.getTextOffset(), parser.getTextLength());
        } else if (kind == TEXT && field.isKept()) {
            texts[place] = parser.getText();
        }
    }

    /** Returns what kind of value the parser is at. */
    static byte kind(JsonParser parser, JsonToken token) throws IOException {
        return switch (token) {
            case VALUE_NULL -> NULL;
            case VALUE_STRING -> isText(parser) ? TEXT : OTHER;
            case VALUE_NUMBER_INT -> switch (parser.getNumberType()) {
                case INT, LONG -> isMinusZero(parser) ? OTHER : INTEGER;
                default -> HUGE;
            };
            default -> OTHER;
        };
    }

    private static boolean isMinusZero(JsonParser parser) throws IOException {
        return parser.getLongValue() == 0 && parser.getTextLength() > 1;
    }

    private static boolean isText(JsonParser parser) throws IOException {
        int length = parser.getTextLength();
        if (length < 1 || length > TEXT_MAX) {
            return false;
        }
        char[] text = parser.getTextCharacters();
        int offset = parser.getTextOffset();
        for (int at = offset; at < offset + length; at++) {
            if (text[at] < 0x20 || text[at] > 0x7e) {
                return false;
            }
        }
        return true;
    }

    private byte required(Field field) {
        byte kind = kinds[field.ordinal()];
        if (kind == ABSENT) {
            throw new BadRecord(Reason.MISSING_FIELD, "field `payload." + field.written + "` is missing");
        }
        return kind;
    }

    private boolean isGiven(Field field) {
        return kinds[field.ordinal()] > NULL;
    }

    private static BadRecord bad(Field field, String why) {
        return new BadRecord(Reason.BAD_FIELD, "field `payload." + field.written + "` " + why);
    }

    long id(Field field) {
        long number = numbers[field.ordinal()];
        if (required(field) != INTEGER || number < 1) {
            throw bad(field, "is not an id: 1 to 9223372036854775807");
        }
        return number;
    }

    long amount(Field field) {
        return bounded(field, 1);
    }

    /** Returns an amount from 0, which is also what an absent one means. */
    long optionalLimit(Field field) {
        return isGiven(field) ? bounded(field, 0) : 0;
    }

    private long bounded(Field field, long min) {
        byte kind = required(field);
        long number = numbers[field.ordinal()];
        if (kind == HUGE || (kind == INTEGER && (number < min || number > AMOUNT_MAX))) {
            throw new BadRecord(Reason.AMOUNT_OUT_OF_RANGE, "field `payload." + field.written + "` is out of range");
        }
        if (kind != INTEGER) {
            throw bad(field, "is not an integer");
        }
        return number;
    }

    /** Returns what is wrong with the price of an item, or null. */
    static BadRecord priceFault(byte kind, long number) {
        if (kind == HUGE || (kind == INTEGER && (number < 0 || number > AMOUNT_MAX))) {
            return new BadRecord(Reason.AMOUNT_OUT_OF_RANGE, "field `payload.items.priceFen` is out of range");
        }
        return kind == INTEGER ? null : new BadRecord(Reason.BAD_FIELD, "field `payload.items.priceFen` is wrong");
    }

    /** Returns the text of a field that is kept, and judges that of any. */
    String text(Field field) {
        if (required(field) != TEXT) {
            throw bad(field, "is not 1 to 128 bytes of printable ASCII");
        }
        return texts[field.ordinal()];
    }

    String optionalText(Field field) {
        return isGiven(field) ? text(field) : null;
    }

    /** Returns the packed currency, 0 when none is named. */
    int optionalCurrency(Field field) {
        if (!isGiven(field)) {
            return 0;
        }
        long currency = numbers[field.ordinal()];
        if (kinds[field.ordinal()] != TEXT || currency == 0) {
            throw bad(field, "is not three of A to Z");
        }
        return (int) currency;
    }
}
