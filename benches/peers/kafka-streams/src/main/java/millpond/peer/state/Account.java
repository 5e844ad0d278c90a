package millpond.peer.state;

/** One account; a processor decodes into the same object again and again. */
public final class Account {
    public static final byte OPEN = 0;
    public static final byte FROZEN = 1;
    public static final byte CLOSED = 2;

    private static final int LENGTH = 45;

    public long balance;
    public long overdraft;
    public int currency;
    public byte status;
    public long version;
    public long credited;
    public long debited;

    /** Becomes an account that is not stored yet: its first change makes it version 1. */
    public void blank(int currency, long overdraft) {
        balance = 0;
        this.overdraft = overdraft;
        this.currency = currency;
        status = OPEN;
        version = 0;
        credited = 0;
        debited = 0;
    }

    public void decode(byte[] value) {
        balance = Bytes.value(value, 1);
        overdraft = Bytes.value(value, 9);
        currency = (value[17] & 0xff) | (value[18] & 0xff) << 8 | (value[19] & 0xff) << 16;
        status = value[20];
        version = Bytes.value(value, 21);
        credited = Bytes.value(value, 29);
        debited = Bytes.value(value, 37);
    }

    public byte[] encode() {
        byte[] value = new byte[LENGTH];
        value[0] = 1;
        Bytes.putValue(value, 1, balance);
        Bytes.putValue(value, 9, overdraft);
        value[17] = (byte) currency;
        value[18] = (byte) (currency >> 8);
        value[19] = (byte) (currency >> 16);
        value[20] = status;
        Bytes.putValue(value, 21, version);
        Bytes.putValue(value, 29, credited);
        Bytes.putValue(value, 37, debited);
        return value;
    }

    /** Puts money in; throws ArithmeticException, with the account unchanged, when a sum would leave 64 bits. */
    public void credit(long amount) {
        long newBalance = Math.addExact(balance, amount);
        credited = Math.addExact(credited, amount);
        balance = newBalance;
        version = Math.addExact(version, 1);
    }

    /** Takes money out; whether the account covers it is for the caller to ask. */
    public void debit(long amount) {
        long newBalance = Math.subtractExact(balance, amount);
        debited = Math.addExact(debited, amount);
        balance = newBalance;
        version = Math.addExact(version, 1);
    }

    public void become(byte newStatus) {
        status = newStatus;
        version = Math.addExact(version, 1);
    }

    public boolean covers(long amount) {
        return Math.addExact(balance, overdraft) >= amount;
    }

    /** Tells whether a currency, where one is named, is the account's. */
    public boolean accepts(int named) {
        return named == 0 || named == currency;
    }

    /** Stops the task when the account is impossible. */
    public void check() {
        if (balance != credited - debited || credited < 0 || debited < 0 || balance < -overdraft || version < 1) {
            throw new IllegalStateException("an impossible account");
        }
    }
}
