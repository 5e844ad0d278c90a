package millpond.peer.output;

/** Where and when the record in hand was written; one object per processor. */
public final class Place {
    public String topic;
    public int partition;
    public long offset;
    public long timestampMs;
}
