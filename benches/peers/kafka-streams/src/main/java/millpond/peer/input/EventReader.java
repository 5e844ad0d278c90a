package millpond.peer.input;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;

/**
 * Decodes the values of both input topics with Jackson's streaming parser: one pass that captures fields, then the
 * checks in the order of docs/validation.md. Keeps its objects, so it serves one task only.
 */
public final class EventReader {
    /** Longest value that is accepted, bytes. */
    public static final int VALUE_BYTES_MAX = 65_536;

    private static final int OPEN_MAX = 64;
    private static final int ITEMS_MAX = 1_000;
    private static final int QTY_MAX = 1_000_000;
    private static final JsonFactory JSON = factory(false);
    private static final JsonFactory JSON_DUPLICATES = factory(true);

    private final boolean orders;
    private final Event event = new Event();
    private final Values payload = new Values();

    private boolean duplicate;
    /** Something was skipped whose keys nobody compared. */
    private boolean skipped;
    private byte eventType;
    private String eventTypeText;
    private byte eventId;
    private byte occurredAt;
    private byte payloadKind;
    private BadRecord itemsFault;

    /** Creates a reader of order events or of account commands. */
    public EventReader(boolean orders) {
        this.orders = orders;
    }

    private static JsonFactory factory(boolean findDuplicates) {
        // A record is bounded by its size: a number or text as long as the record is still JSON.
        StreamReadConstraints constraints = StreamReadConstraints.builder()
                .maxNestingDepth(OPEN_MAX)
                .maxNumberLength(VALUE_BYTES_MAX)
                .maxNameLength(VALUE_BYTES_MAX)
                .build();
        return new JsonFactoryBuilder()
                .streamReadConstraints(constraints)
                .disable(JsonFactory.Feature.CHARSET_DETECTION)
                .configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, findDuplicates)
                .build();
    }

    /** Decodes a value; what comes back is overwritten by the next call. */
    public Event read(byte[] value) {
        boolean nul = !Strictness.isPlain(value) && Strictness.hasNul(JSON, value);
        clear();
        boolean isObject;
        try (JsonParser parser = JSON.createParser(value)) {
            isObject = document(parser);
        } catch (IOException error) {
            throw new BadRecord(Reason.NOT_JSON, error.getMessage());
        }
        if (!isObject) {
            throw new BadRecord(Reason.NOT_AN_OBJECT, "the value is JSON but not an object");
        }
        if (duplicate || (skipped && hasDuplicate(value))) {
            throw new BadRecord(Reason.DUPLICATE_FIELD, "an object has the same key twice");
        }
        if (nul) {
            throw new BadRecord(Reason.BAD_FIELD, "a string holds U+0000");
        }
        envelope();
        payload();
        return event;
    }

    private void clear() {
        payload.clear();
        duplicate = false;
        skipped = false;
        eventType = Values.ABSENT;
        eventId = Values.ABSENT;
        occurredAt = Values.ABSENT;
        payloadKind = Values.ABSENT;
        itemsFault = null;
    }

    /** Reads one whole text and tells whether it is an object. */
    private boolean document(JsonParser parser) throws IOException {
        JsonToken first = parser.nextToken();
        if (first == null) {
            throw new BadRecord(Reason.NOT_JSON, "an empty value");
        }
        boolean isObject = first == JsonToken.START_OBJECT;
        if (isObject) {
            envelopeMembers(parser);
        } else {
            parser.skipChildren();
            skipped = true;
        }
        if (parser.nextToken() != null) {
            throw new BadRecord(Reason.NOT_JSON, "more than one text");
        }
        return isObject;
    }

    private void envelopeMembers(JsonParser parser) throws IOException {
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken token = parser.nextToken();
            switch (name) {
                case "eventType" -> {
                    duplicate |= eventType != Values.ABSENT;
                    eventType = token == JsonToken.VALUE_STRING ? Values.TEXT : skip(parser);
                    eventTypeText = eventType == Values.TEXT ? parser.getText() : null;
                }
                case "eventId" -> {
                    duplicate |= eventId != Values.ABSENT;
                    eventId = scalar(parser, token);
                }
                case "occurredAt" -> {
                    duplicate |= occurredAt != Values.ABSENT;
                    occurredAt = token == JsonToken.VALUE_STRING && isTime(parser) ? Values.TEXT : skip(parser);
                }
                case "payload" -> {
                    duplicate |= payloadKind != Values.ABSENT;
                    payloadKind = token == JsonToken.START_OBJECT ? payloadMembers(parser) : skip(parser);
                }
                default -> {
                    skip(parser);
                    skipped = true;
                }
            }
        }
    }

    private static boolean isTime(JsonParser parser) throws IOException {
        return Rfc3339.is(parser.getTextCharacters(), parser.getTextOffset(), parser.getTextLength());
    }

    /** Passes over a value that is not what it should be. */
    private byte skip(JsonParser parser) throws IOException {
        if (parser.currentToken().isStructStart()) {
            parser.skipChildren();
            skipped = true;
        }
        return Values.OTHER;
    }

    private byte scalar(JsonParser parser, JsonToken token) throws IOException {
        return token.isStructStart() ? skip(parser) : Values.kind(parser, token);
    }

    private byte payloadMembers(JsonParser parser) throws IOException {
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken token = parser.nextToken();
            Field field = Field.named(name);
            if (field == null) {
                skip(parser);
                skipped = true;
                continue;
            }
            duplicate |= payload.isThere(field);
            if (field == Field.ITEMS) {
                payload.set(field, Values.OTHER);
                items(parser, token);
            } else if (token.isStructStart()) {
                payload.set(field, skip(parser));
            } else {
                payload.capture(field, parser, token);
            }
        }
        return Values.TEXT;
    }

    private void items(JsonParser parser, JsonToken token) throws IOException {
        BadRecord fault = null;
        if (token != JsonToken.START_ARRAY) {
            skip(parser);
            fault = token == JsonToken.VALUE_NULL ? null : items("is not an array");
        } else {
            int count = 0;
            for (JsonToken item = parser.nextToken(); item != JsonToken.END_ARRAY; item = parser.nextToken()) {
                count++;
                BadRecord found = item(parser, item);
                fault = fault == null ? found : fault;
            }
            fault = count > ITEMS_MAX ? items("has more than 1000 items") : fault;
        }
        itemsFault = fault;
    }

    private static BadRecord items(String why) {
        return new BadRecord(Reason.BAD_FIELD, "field `payload.items` " + why);
    }

    /** Reads one item and returns its first fault. */
    private BadRecord item(JsonParser parser, JsonToken token) throws IOException {
        if (token != JsonToken.START_OBJECT) {
            skip(parser);
            return items("has an item that is not an object");
        }
        byte sku = Values.ABSENT;
        byte qty = Values.ABSENT;
        byte price = Values.ABSENT;
        long pieces = 0;
        long fen = 0;
        for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
            JsonToken value = parser.nextToken();
            switch (name) {
                case "sku" -> {
                    duplicate |= sku != Values.ABSENT;
                    sku = scalar(parser, value);
                }
                case "qty" -> {
                    duplicate |= qty != Values.ABSENT;
                    qty = scalar(parser, value);
                    pieces = qty == Values.INTEGER ? parser.getLongValue() : 0;
                }
                case "priceFen" -> {
                    duplicate |= price != Values.ABSENT;
                    price = scalar(parser, value);
                    fen = price == Values.INTEGER ? parser.getLongValue() : 0;
                }
                default -> {
                    skip(parser);
                    skipped = true;
                }
            }
        }
        return itemFault(sku, qty, pieces, price, fen);
    }

    private static BadRecord itemFault(byte sku, byte qty, long pieces, byte price, long fen) {
        if (sku != Values.TEXT) {
            return itemField("sku", sku);
        }
        if (qty != Values.INTEGER || pieces < 1 || pieces > QTY_MAX) {
            return itemField("qty", qty);
        }
        return price == Values.ABSENT ? itemField("priceFen", price) : Values.priceFault(price, fen);
    }

    private static BadRecord itemField(String name, byte kind) {
        return kind == Values.ABSENT
                ? new BadRecord(Reason.MISSING_FIELD, "field `payload.items." + name + "` is missing")
                : new BadRecord(Reason.BAD_FIELD, "field `payload.items." + name + "` is wrong");
    }

    /** Looks for equal keys in the whole text, which is known to be JSON. */
    private static boolean hasDuplicate(byte[] value) {
        try (JsonParser parser = JSON_DUPLICATES.createParser(value)) {
            while (parser.nextToken() != null) {
                // Only the duplicates' exception is of interest.
            }
            return false;
        } catch (IOException error) {
            return true;
        }
    }

    private void envelope() {
        check(eventType, "eventType");
        event.type = Event.Type.named(eventTypeText);
        if (event.type == null || event.type.isOrder() != orders) {
            throw new BadRecord(Reason.UNKNOWN_EVENT_TYPE, "this topic has no such event type");
        }
        check(eventId, "eventId");
        check(occurredAt, "occurredAt");
        check(payloadKind, "payload");
    }

    private static void check(byte kind, String name) {
        if (kind == Values.ABSENT) {
            throw new BadRecord(Reason.MISSING_FIELD, "field `" + name + "` is missing");
        }
        if (kind != Values.TEXT) {
            throw new BadRecord(Reason.BAD_FIELD, "field `" + name + "` is wrong");
        }
    }

    /** Checks the payload's fields in the order of the contract's table. */
    private void payload() {
        switch (event.type) {
            case ORDER_CREATED -> orderCreated();
            case ORDER_PAID -> {
                event.user = payload.id(Field.USER_ID);
                event.order = payload.id(Field.ORDER_ID);
            }
            case ORDER_CANCELLED -> {
                event.order = payload.id(Field.ORDER_ID);
                event.user = payload.id(Field.USER_ID);
                event.text = payload.optionalText(Field.REASON);
            }
            case ORDER_REFUND_REQUESTED -> {
                event.order = payload.id(Field.ORDER_ID);
                event.user = payload.id(Field.USER_ID);
                event.text = payload.text(Field.REFUND_ID);
                event.amount = payload.amount(Field.AMOUNT);
            }
            case OPEN_ACCOUNT -> {
                event.user = payload.id(Field.USER_ID);
                event.currency = payload.optionalCurrency(Field.CURRENCY);
                event.overdraft = payload.optionalLimit(Field.OVERDRAFT);
            }
            case DEPOSIT_FUNDS, WITHDRAW_FUNDS -> {
                event.user = payload.id(Field.USER_ID);
                event.amount = payload.amount(Field.AMOUNT);
                event.currency = payload.optionalCurrency(Field.CURRENCY);
                event.text = payload.text(Field.REFERENCE);
            }
            case FREEZE_ACCOUNT, UNFREEZE_ACCOUNT, CLOSE_ACCOUNT -> {
                event.user = payload.id(Field.USER_ID);
                event.text = payload.optionalText(Field.REASON);
            }
        }
    }

    private void orderCreated() {
        event.order = payload.id(Field.ORDER_ID);
        payload.text(Field.ORDER_NO);
        event.user = payload.id(Field.USER_ID);
        event.amount = payload.amount(Field.AMOUNT);
        event.currency = payload.optionalCurrency(Field.CURRENCY);
        if (itemsFault != null) {
            throw itemsFault;
        }
        payload.optionalText(Field.IDEMPOTENCY_KEY);
    }
}
