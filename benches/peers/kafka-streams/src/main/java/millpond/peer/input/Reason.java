package millpond.peer.input;

/** Why an input is a dead letter; the names are those of docs/validation.md. */
public enum Reason {
    INVALID_TIMESTAMP,
    NULL_VALUE,
    TOO_LARGE,
    MISSING_KEY,
    NOT_JSON,
    NOT_AN_OBJECT,
    DUPLICATE_FIELD,
    MISSING_FIELD,
    BAD_FIELD,
    AMOUNT_OUT_OF_RANGE,
    UNKNOWN_EVENT_TYPE,
    KEY_MISMATCH,
    WRONG_PARTITION,
    ORDER_CONFLICT,
    ARITHMETIC
}
