package millpond.peer.ledger;

import millpond.peer.input.BadRecord;
import millpond.peer.input.Event;
import millpond.peer.input.EventReader;
import millpond.peer.input.Reason;
import millpond.peer.output.AccountEvents;
import millpond.peer.output.Place;
import millpond.peer.state.Account;
import millpond.peer.state.Keys;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;

/** What both processors do: admit a record, read and write accounts, emit events and dead letters. */
abstract class LedgerProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    private static final long AHEAD_MS_MAX = 24 * 60 * 60 * 1_000L;
    private static final String TRACE_PARENT = "traceparent";

    final Place place = new Place();
    final Account account = new Account();
    final AccountEvents events;

    private final Names names;
    private final EventReader reader;
    private final Meter meter;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> accounts;
    private Record<byte[], byte[]> record;

    LedgerProcessor(Names names, boolean orders) {
        this.names = names;
        events = new AccountEvents(names.namespace());
        reader = new EventReader(orders);
        meter = new Meter(orders);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        accounts = context.getStateStore(Names.ACCOUNT_STORE);
    }

    @Override
    public final void process(Record<byte[], byte[]> record) {
        this.record = record;
        RecordMetadata metadata = context.recordMetadata().orElseThrow();
        place.topic = metadata.topic();
        place.partition = metadata.partition();
        place.offset = metadata.offset();
        place.timestampMs = record.timestamp();
        meter.add();
        try {
            handle(admit(record));
        } catch (BadRecord bad) {
            deadLetter(bad.reason(), bad.getMessage());
        } catch (ArithmeticException overflow) {
            deadLetter(Reason.ARITHMETIC, "the sum would leave 64 bits");
        }
    }

    /** Applies an event; writes nothing before it can no longer fail. */
    abstract void handle(Event event);

    private Event admit(Record<byte[], byte[]> record) {
        if (record.timestamp() == PeerTimestamps.INVALID
                || record.timestamp() > context.currentSystemTimeMs() + AHEAD_MS_MAX) {
            throw new BadRecord(Reason.INVALID_TIMESTAMP, "the timestamp is negative or too far ahead");
        }
        byte[] key = record.key();
        byte[] value = record.value();
        if (value == null) {
            throw new BadRecord(Reason.NULL_VALUE, "the value is null");
        }
        if (value.length > EventReader.VALUE_BYTES_MAX) {
            throw new BadRecord(Reason.TOO_LARGE, "the value is longer than 65536 bytes");
        }
        if (key == null || key.length == 0) {
            throw new BadRecord(Reason.MISSING_KEY, "the record has no key");
        }
        Event event = reader.read(value);
        if (!isDecimalOf(key, event.user)) {
            throw new BadRecord(Reason.KEY_MISMATCH, "the key is not the decimal form of payload.userId");
        }
        if (place.partition != Utils.toPositive(Utils.murmur2(key)) % names.partitions()) {
            throw new BadRecord(Reason.WRONG_PARTITION, "the record is not in the partition of its key");
        }
        return event;
    }

    private static boolean isDecimalOf(byte[] key, long number) {
        long rest = number;
        for (int at = key.length - 1; at >= 0; at--, rest /= 10) {
            if (rest == 0 || key[at] != '0' + rest % 10) {
                return false;
            }
        }
        return rest == 0;
    }

    /** Reads the user's account into {@link #account} and tells whether there is one. */
    final boolean readAccount(long user) {
        byte[] value = accounts.get(Keys.account(user));
        if (value == null) {
            return false;
        }
        account.decode(value);
        return true;
    }

    final void writeAccount(long user) {
        account.check();
        accounts.put(Keys.account(user), account.encode());
    }

    /** Emits an event; its key is the input's, which was found to be the user id. */
    final void emit(byte[] value) {
        Headers headers = record.headers();
        Headers kept = null;
        Header trace = headers.lastHeader(TRACE_PARENT);
        if (trace != null) {
            kept = new RecordHeaders().add(trace);
        }
        context.forward(new Record<>(record.key(), value, record.timestamp(), kept), Names.EVENT_SINK);
    }

    private void deadLetter(Reason reason, String message) {
        context.forward(DeadLetters.of(record, place, names.app(), reason, message, context.currentSystemTimeMs()),
                Names.DEAD_LETTER_SINK);
    }
}
