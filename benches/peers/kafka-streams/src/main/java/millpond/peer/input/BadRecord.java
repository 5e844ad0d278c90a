package millpond.peer.input;

/** An input that becomes a dead letter. Without stack trace: it is an answer, not a fault of the program. */
public final class BadRecord extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final Reason reason;

    public BadRecord(Reason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
