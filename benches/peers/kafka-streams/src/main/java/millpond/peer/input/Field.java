package millpond.peer.input;

/** The payload fields of all event types; the ordinal is the place of a captured value. */
public enum Field {
    ORDER_ID("orderId"),
    ORDER_NO("orderNo"),
    USER_ID("userId"),
    AMOUNT("amountFen"),
    CURRENCY("currency"),
    IDEMPOTENCY_KEY("idempotencyKey"),
    REASON("reason"),
    REFUND_ID("refundId"),
    OVERDRAFT("overdraftFen"),
    REFERENCE("reference"),
    ITEMS("items");

    final String written;

    Field(String written) {
        this.written = written;
    }

    /** Returns the field of that name, or null. */
    static Field named(String name) {
        return switch (name) {
            case "orderId" -> ORDER_ID;
            case "orderNo" -> ORDER_NO;
            case "userId" -> USER_ID;
            case "amountFen" -> AMOUNT;
            case "currency" -> CURRENCY;
            case "idempotencyKey" -> IDEMPOTENCY_KEY;
            case "reason" -> REASON;
            case "refundId" -> REFUND_ID;
            case "overdraftFen" -> OVERDRAFT;
            case "reference" -> REFERENCE;
            case "items" -> ITEMS;
            default -> null;
        };
    }

    /** Tells whether the text itself is needed later, not only whether it is right. */
    boolean isKept() {
        return this == REASON || this == REFUND_ID || this == REFERENCE;
    }
}
