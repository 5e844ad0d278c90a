package millpond.peer.state;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What became of an order; a processor decodes into the same object again and again. */
public final class Order {
    public static final byte DEBITED = 0;
    public static final byte ACCOUNT_NOT_FOUND = 1;
    public static final byte INSUFFICIENT_BALANCE = 2;
    public static final byte ACCOUNT_FROZEN = 3;
    public static final byte ACCOUNT_CLOSED = 4;
    public static final byte CURRENCY_MISMATCH = 5;
    public static final byte ORDER_CANCELLED = 6;
    public static final byte CANCELLATION_REMEMBERED = 7;
    public static final byte DEBITED_AND_CANCELLED = 8;

    private static final int FIXED_LENGTH = 26;

    public byte outcome;
    public long amount;
    public long refunded;
    public final List<String> refundIds = new ArrayList<>();

    /** Becomes the record of an outcome without refunds. */
    public void set(byte outcome, long amount) {
        this.outcome = outcome;
        this.amount = amount;
        refunded = 0;
        refundIds.clear();
    }

    public boolean wasDebited() {
        return outcome == DEBITED || outcome == DEBITED_AND_CANCELLED;
    }

    public void decode(byte[] value) {
        set(value[1], Bytes.value(value, 2));
        refunded = Bytes.value(value, 10);
        long count = Bytes.value(value, 18);
        for (int at = FIXED_LENGTH; count > 0; count--) {
            int length = (int) Bytes.value(value, at);
            refundIds.add(new String(value, at + 8, length, StandardCharsets.ISO_8859_1));
            at += 8 + length;
        }
    }

    public byte[] encode() {
        int length = FIXED_LENGTH;
        for (String id : refundIds) {
            length += 8 + id.length();
        }
        byte[] value = new byte[length];
        value[0] = 1;
        value[1] = outcome;
        Bytes.putValue(value, 2, amount);
        Bytes.putValue(value, 10, refunded);
        Bytes.putValue(value, 18, refundIds.size());
        int at = FIXED_LENGTH;
        for (String id : refundIds) {
            byte[] text = id.getBytes(StandardCharsets.ISO_8859_1);
            Bytes.putValue(value, at, text.length);
            System.arraycopy(text, 0, value, at + 8, text.length);
            at += 8 + text.length;
        }
        return value;
    }
}
