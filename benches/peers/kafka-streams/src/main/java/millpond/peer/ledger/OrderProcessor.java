package millpond.peer.ledger;

import millpond.peer.input.BadRecord;
import millpond.peer.input.Event;
import millpond.peer.input.Reason;
import millpond.peer.state.Account;
import millpond.peer.state.Keys;
import millpond.peer.state.Order;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;

/** The processor of `order.events`: debits orders, gives back cancelled and refunded ones. */
final class OrderProcessor extends LedgerProcessor {
    private final Order order = new Order();
    private KeyValueStore<byte[], byte[]> orders;

    OrderProcessor(Names names) {
        super(names, true);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        super.init(context);
        orders = context.getStateStore(Names.ORDER_STORE);
    }

    @Override
    void handle(Event event) {
        switch (event.type) {
            case ORDER_CREATED -> created(event);
            case ORDER_CANCELLED -> cancelled(event);
            case ORDER_REFUND_REQUESTED -> refundRequested(event);
            default -> {
                // OrderPaid answers what this topology wrote.
            }
        }
    }

    private boolean readOrder(byte[] key) {
        byte[] value = orders.get(key);
        if (value == null) {
            return false;
        }
        order.decode(value);
        return true;
    }

    private void created(Event event) {
        byte[] key = Keys.order(event.user, event.order);
        boolean remembered = readOrder(key);
        if (remembered && order.outcome != Order.CANCELLATION_REMEMBERED) {
            if (order.amount != event.amount) {
                throw new BadRecord(Reason.ORDER_CONFLICT, "the order came before with another amount");
            }
            return;
        }
        boolean there = readAccount(event.user);
        byte outcome = outcome(event, there, remembered);
        order.set(outcome, event.amount);
        if (outcome == Order.DEBITED) {
            account.debit(event.amount);
            writeAccount(event.user);
            orders.put(key, order.encode());
            emit(events.debitedByOrder(place, event.user, account, event.order, event.amount));
        } else {
            orders.put(key, order.encode());
            Account shown = there ? account : null;
            emit(events.debitFailed(place, event.user, event.order, event.amount, reason(outcome), shown));
        }
    }

    private byte outcome(Event event, boolean there, boolean cancelled) {
        if (!there) {
            return Order.ACCOUNT_NOT_FOUND;
        }
        if (account.status == Account.FROZEN) {
            return Order.ACCOUNT_FROZEN;
        }
        if (account.status == Account.CLOSED) {
            return Order.ACCOUNT_CLOSED;
        }
        if (!account.accepts(event.currency)) {
            return Order.CURRENCY_MISMATCH;
        }
        if (cancelled) {
            return Order.ORDER_CANCELLED;
        }
        return account.covers(event.amount) ? Order.DEBITED : Order.INSUFFICIENT_BALANCE;
    }

    private static String reason(byte outcome) {
        return switch (outcome) {
            case Order.ACCOUNT_NOT_FOUND -> "ACCOUNT_NOT_FOUND";
            case Order.ACCOUNT_FROZEN -> "ACCOUNT_FROZEN";
            case Order.ACCOUNT_CLOSED -> "ACCOUNT_CLOSED";
            case Order.CURRENCY_MISMATCH -> "CURRENCY_MISMATCH";
            case Order.ORDER_CANCELLED -> "ORDER_CANCELLED";
            default -> "INSUFFICIENT_BALANCE";
        };
    }

    private void cancelled(Event event) {
        byte[] key = Keys.order(event.user, event.order);
        if (!readOrder(key)) {
            order.set(Order.CANCELLATION_REMEMBERED, 0);
            orders.put(key, order.encode());
            return;
        }
        if (order.outcome != Order.DEBITED) {
            return;
        }
        long left = order.amount - order.refunded;
        order.outcome = Order.DEBITED_AND_CANCELLED;
        order.refunded = order.amount;
        if (left == 0) {
            orders.put(key, order.encode());
        } else {
            giveBack(event, key, left, null);
        }
    }

    private void refundRequested(Event event) {
        byte[] key = Keys.order(event.user, event.order);
        if (!readOrder(key) || !order.wasDebited()) {
            reject(event, "ORDER_NOT_DEBITED");
        } else if (order.refundIds.contains(event.text)) {
            return;
        } else if (event.amount > order.amount - order.refunded) {
            reject(event, "REFUND_EXCEEDS_DEBIT");
        } else {
            order.refunded += event.amount;
            order.refundIds.add(event.text);
            giveBack(event, key, event.amount, event.text);
        }
    }

    private void reject(Event event, String reason) {
        emit(events.refundRejected(place, event.user, event.type.written, event.text, event.order, reason));
    }

    /** Credits what comes back of an order, whatever the account's status. */
    private void giveBack(Event event, byte[] key, long amount, String refundId) {
        if (!readAccount(event.user)) {
            throw new IllegalStateException("an order was debited, but there is no account");
        }
        account.credit(amount);
        writeAccount(event.user);
        orders.put(key, order.encode());
        emit(events.refunded(place, event.user, account, event.order, refundId, amount, order.refunded));
    }
}
