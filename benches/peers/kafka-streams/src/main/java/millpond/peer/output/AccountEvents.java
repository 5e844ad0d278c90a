package millpond.peer.output;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import millpond.peer.state.Account;

/**
 * Writes the values of `account.events`, byte for byte those of millpond: fields in the order of the contract's
 * table, no white space.
 */
public final class AccountEvents {
    static final byte[] NULL = ascii("null");

    private static final byte[] EVENT_TYPE = ascii("{\"eventType\":\"");
    private static final byte[] EVENT_ID = ascii("\",\"eventId\":\"");
    private static final byte[] OCCURRED_AT = ascii("\",\"occurredAt\":\"");
    private static final byte[] SOURCE = ascii("\",\"source\":{\"topic\":\"");
    private static final byte[] PARTITION = ascii("\",\"partition\":");
    private static final byte[] OFFSET = ascii(",\"offset\":");
    private static final byte[] PAYLOAD = ascii("},\"payload\":{");
    private static final byte[] ACCOUNT_ID = ascii("\"accountId\":");
    private static final byte[] USER_ID_NEXT = ascii(",\"userId\":");
    private static final byte[] USER_ID_FIRST = ascii("\"userId\":");
    private static final byte[] ORDER_ID = ascii(",\"orderId\":");
    private static final byte[] REFERENCE = ascii(",\"reference\":");
    private static final byte[] REFUND_ID = ascii(",\"refundId\":");
    private static final byte[] DELTA = ascii(",\"deltaFen\":");
    private static final byte[] BALANCE_AFTER = ascii(",\"balanceAfterFen\":");
    private static final byte[] REFUNDED_TOTAL = ascii(",\"refundedTotalFen\":");
    private static final byte[] OVERDRAFT = ascii(",\"overdraftFen\":");
    private static final byte[] CURRENCY = ascii(",\"currency\":\"");
    private static final byte[] VERSION = ascii(",\"accountVersion\":");
    private static final byte[] AMOUNT = ascii(",\"amountFen\":");
    private static final byte[] REASON = ascii(",\"reason\":");
    private static final byte[] BALANCE = ascii(",\"balanceFen\":");
    private static final byte[] COMMAND = ascii(",\"command\":");

    private final EventIds ids;
    private final Timestamps timestamps = new Timestamps();
    private final JsonBuffer out = new JsonBuffer();
    private final JsonBuffer identity = new JsonBuffer();
    private final Map<String, byte[]> names = new HashMap<>();

    /** Creates the events of the application {@code app}, whose id is the namespace of the event ids. */
    public AccountEvents(String app) {
        ids = new EventIds(app);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private byte[] name(String text) {
        return names.computeIfAbsent(text, AccountEvents::ascii);
    }

    /** Begins an event with its envelope. */
    private JsonBuffer begin(String type, Place place) {
        byte[] topic = name(place.topic);
        identity.clear();
        identity.raw(topic).raw('/').number(place.partition).raw('/').number(place.offset).raw('/').raw('0');
        out.clear();
        out.raw(EVENT_TYPE).raw(name(type)).raw(EVENT_ID);
        ids.append(identity, out);
        out.raw(OCCURRED_AT);
        timestamps.append(place.timestampMs, out);
        out.raw(SOURCE).raw(topic).raw(PARTITION).number(place.partition).raw(OFFSET).number(place.offset);
        return out.raw(PAYLOAD);
    }

    private JsonBuffer beginOfAccount(String type, Place place, long user) {
        // One account per user.
        return begin(type, place).raw(ACCOUNT_ID).number(user).raw(USER_ID_NEXT).number(user);
    }

    private JsonBuffer currency(Account account) {
        out.raw(CURRENCY).raw(account.currency & 0xff).raw(account.currency >> 8 & 0xff);
        return out.raw(account.currency >> 16 & 0xff).raw('"');
    }

    private JsonBuffer version(Account account) {
        return out.raw(VERSION).number(account.version);
    }

    private byte[] end() {
        return out.raw('}').raw('}').copy();
    }

    public byte[] opened(Place place, long user, Account account) {
        beginOfAccount("AccountOpened", place, user);
        currency(account).raw(OVERDRAFT).number(account.overdraft);
        version(account);
        return end();
    }

    public byte[] credited(Place place, long user, Account account, String reference, long amount) {
        beginOfAccount("AccountCredited", place, user).raw(REFERENCE).text(reference);
        return moved(account, amount);
    }

    public byte[] debitedByOrder(Place place, long user, Account account, long order, long amount) {
        beginOfAccount("AccountDebited", place, user).raw(ORDER_ID).number(order);
        return moved(account, -amount);
    }

    public byte[] debitedByWithdrawal(Place place, long user, Account account, String reference, long amount) {
        beginOfAccount("AccountDebited", place, user).raw(REFERENCE).text(reference);
        return moved(account, -amount);
    }

    private byte[] moved(Account account, long delta) {
        out.raw(DELTA).number(delta).raw(BALANCE_AFTER).number(account.balance);
        currency(account);
        version(account);
        return end();
    }

    /** Writes a DebitFailed; {@code account} is null when the user has none. */
    public byte[] debitFailed(Place place, long user, long order, long amount, String reason, Account account) {
        begin("DebitFailed", place).raw(USER_ID_FIRST).number(user).raw(ORDER_ID).number(order);
        out.raw(AMOUNT).number(amount).raw(REASON).text(reason).raw(BALANCE);
        if (account == null) {
            out.raw(NULL);
        } else {
            out.number(account.balance);
        }
        return end();
    }

    /** Writes an AccountRefunded; {@code refundId} is null for a cancellation. */
    public byte[] refunded(
            Place place, long user, Account account, long order, String refundId, long amount, long total) {
        beginOfAccount("AccountRefunded", place, user).raw(ORDER_ID).number(order);
        out.raw(REFUND_ID).textOrNull(refundId).raw(DELTA).number(amount);
        out.raw(BALANCE_AFTER).number(account.balance).raw(REFUNDED_TOTAL).number(total);
        currency(account);
        version(account);
        return end();
    }

    public byte[] statusChanged(Place place, long user, Account account, String reason) {
        String type = switch (account.status) {
            case Account.FROZEN -> "AccountFrozen";
            case Account.OPEN -> "AccountUnfrozen";
            default -> "AccountClosed";
        };
        beginOfAccount(type, place, user).raw(REASON).textOrNull(reason);
        version(account);
        return end();
    }

    /** Writes a CommandRejected of a deposit, a withdrawal, or ({@code reference} null) of the account itself. */
    public byte[] rejected(Place place, long user, String command, String reference, String reason) {
        begin("CommandRejected", place).raw(USER_ID_FIRST).number(user).raw(COMMAND).text(command);
        if (reference != null) {
            out.raw(REFERENCE).text(reference);
        }
        out.raw(REASON).text(reason);
        return end();
    }

    public byte[] refundRejected(
            Place place, long user, String command, String refundId, long order, String reason) {
        begin("CommandRejected", place).raw(USER_ID_FIRST).number(user).raw(COMMAND).text(command);
        out.raw(REFUND_ID).text(refundId).raw(ORDER_ID).number(order).raw(REASON).text(reason);
        return end();
    }
}
