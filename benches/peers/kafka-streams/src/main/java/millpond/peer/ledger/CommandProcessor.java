package millpond.peer.ledger;

import millpond.peer.input.Currencies;
import millpond.peer.input.Event;
import millpond.peer.state.Account;
import millpond.peer.state.Keys;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;

/** The processor of `account.commands`: opens, funds, freezes and closes accounts. */
final class CommandProcessor extends LedgerProcessor {
    private static final int DEPOSIT = 0;
    private static final int WITHDRAWAL = 1;

    private KeyValueStore<byte[], byte[]> references;

    CommandProcessor(Names names) {
        super(names, false);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        super.init(context);
        references = context.getStateStore(Names.REFERENCE_STORE);
    }

    @Override
    void handle(Event event) {
        switch (event.type) {
            case OPEN_ACCOUNT -> open(event);
            case DEPOSIT_FUNDS -> deposit(event);
            case WITHDRAW_FUNDS -> withdraw(event);
            case FREEZE_ACCOUNT -> turn(event, Account.FROZEN);
            case UNFREEZE_ACCOUNT -> turn(event, Account.OPEN);
            case CLOSE_ACCOUNT -> turn(event, Account.CLOSED);
            default -> throw new IllegalStateException("not a command: " + event.type);
        }
    }

    private static int currencyOf(Event event) {
        return event.currency == 0 ? Currencies.CNY : event.currency;
    }

    private void open(Event event) {
        int currency = currencyOf(event);
        if (readAccount(event.user)) {
            if (account.currency != currency || account.overdraft != event.overdraft) {
                reject(event, null, "ACCOUNT_EXISTS");
            }
            return;
        }
        account.blank(currency, event.overdraft);
        account.become(Account.OPEN);
        writeAccount(event.user);
        emit(events.opened(place, event.user, account));
    }

    private void deposit(Event event) {
        byte[] reference = Keys.reference(event.user, DEPOSIT, event.text);
        if (references.get(reference) != null) {
            return;
        }
        if (!readAccount(event.user)) {
            account.blank(currencyOf(event), 0);
        }
        if (account.status == Account.CLOSED) {
            reject(event, event.text, "ACCOUNT_CLOSED");
        } else if (!account.accepts(event.currency)) {
            reject(event, event.text, "CURRENCY_MISMATCH");
        } else {
            account.credit(event.amount);
            writeAccount(event.user);
            references.put(reference, Keys.appliedReference(event.amount));
            emit(events.credited(place, event.user, account, event.text, event.amount));
        }
    }

    private void withdraw(Event event) {
        byte[] reference = Keys.reference(event.user, WITHDRAWAL, event.text);
        if (references.get(reference) != null) {
            return;
        }
        String obstacle = obstacleToWithdrawal(event, readAccount(event.user));
        if (obstacle != null) {
            reject(event, event.text, obstacle);
            return;
        }
        account.debit(event.amount);
        writeAccount(event.user);
        references.put(reference, Keys.appliedReference(event.amount));
        emit(events.debitedByWithdrawal(place, event.user, account, event.text, event.amount));
    }

    private String obstacleToWithdrawal(Event event, boolean there) {
        if (!there) {
            return "ACCOUNT_NOT_FOUND";
        }
        if (account.status == Account.FROZEN) {
            return "ACCOUNT_FROZEN";
        }
        if (account.status == Account.CLOSED) {
            return "ACCOUNT_CLOSED";
        }
        if (!account.accepts(event.currency)) {
            return "CURRENCY_MISMATCH";
        }
        return account.covers(event.amount) ? null : "INSUFFICIENT_BALANCE";
    }

    private void turn(Event event, byte to) {
        if (!readAccount(event.user)) {
            reject(event, null, "ACCOUNT_NOT_FOUND");
        } else if (account.status == to) {
            return;
        } else if (account.status == Account.CLOSED) {
            reject(event, null, "ACCOUNT_CLOSED");
        } else if (to == Account.CLOSED && account.balance != 0) {
            reject(event, null, "BALANCE_NOT_ZERO");
        } else {
            account.become(to);
            writeAccount(event.user);
            emit(events.statusChanged(place, event.user, account, event.text));
        }
    }

    private void reject(Event event, String reference, String reason) {
        emit(events.rejected(place, event.user, event.type.written, reference, reason));
    }
}
