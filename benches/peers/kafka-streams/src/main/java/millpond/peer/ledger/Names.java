package millpond.peer.ledger;

/**
 * Names of the topology.
 *
 * @param app application id, the consumer group
 * @param namespace application id that event ids are made of; that of the run to compare outputs with
 * @param partitions partitions of every topic
 */
public record Names(
        String app,
        String namespace,
        String orders,
        String commands,
        String accounts,
        String deadLetters,
        int partitions) {
    static final String ACCOUNT_STORE = "accounts";
    static final String ORDER_STORE = "orders";
    static final String REFERENCE_STORE = "references";
    static final String EVENT_SINK = "account-events";
    static final String DEAD_LETTER_SINK = "dead-letters";
}
