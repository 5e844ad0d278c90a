package millpond.peer.state;

import java.nio.charset.StandardCharsets;

/** Keys of the three stores. */
public final class Keys {
    private Keys() {}

    public static byte[] account(long user) {
        byte[] key = new byte[8];
        Bytes.putKey(key, 0, user);
        return key;
    }

    public static byte[] order(long user, long order) {
        byte[] key = new byte[16];
        Bytes.putKey(key, 0, user);
        Bytes.putKey(key, 8, order);
        return key;
    }

    /** Returns the key of a deposit's (0) or withdrawal's (1) reference. */
    public static byte[] reference(long user, int kind, String reference) {
        byte[] text = reference.getBytes(StandardCharsets.ISO_8859_1);
        byte[] key = new byte[9 + text.length];
        Bytes.putKey(key, 0, user);
        key[8] = (byte) kind;
        System.arraycopy(text, 0, key, 9, text.length);
        return key;
    }

    /** Returns the value of an applied reference. */
    public static byte[] appliedReference(long amount) {
        byte[] value = new byte[10];
        value[0] = 1;
        Bytes.putValue(value, 1, amount);
        return value;
    }
}
