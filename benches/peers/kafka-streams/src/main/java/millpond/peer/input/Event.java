package millpond.peer.input;

/** One decoded event; a reader fills the same object again and again, so nothing is allocated per record. */
public final class Event {
    /** What happened. */
    public enum Type {
        ORDER_CREATED("OrderCreated"),
        ORDER_PAID("OrderPaid"),
        ORDER_CANCELLED("OrderCancelled"),
        ORDER_REFUND_REQUESTED("OrderRefundRequested"),
        OPEN_ACCOUNT("OpenAccount"),
        DEPOSIT_FUNDS("DepositFunds"),
        WITHDRAW_FUNDS("WithdrawFunds"),
        FREEZE_ACCOUNT("FreezeAccount"),
        UNFREEZE_ACCOUNT("UnfreezeAccount"),
        CLOSE_ACCOUNT("CloseAccount");

        /** The name in the envelope. */
        public final String written;

        Type(String written) {
            this.written = written;
        }

        boolean isOrder() {
            return ordinal() <= ORDER_REFUND_REQUESTED.ordinal();
        }

        /** Returns the type of that name, or null. */
        static Type named(String name) {
            return switch (name) {
                case "OrderCreated" -> ORDER_CREATED;
                case "OrderPaid" -> ORDER_PAID;
                case "OrderCancelled" -> ORDER_CANCELLED;
                case "OrderRefundRequested" -> ORDER_REFUND_REQUESTED;
                case "OpenAccount" -> OPEN_ACCOUNT;
                case "DepositFunds" -> DEPOSIT_FUNDS;
                case "WithdrawFunds" -> WITHDRAW_FUNDS;
                case "FreezeAccount" -> FREEZE_ACCOUNT;
                case "UnfreezeAccount" -> UNFREEZE_ACCOUNT;
                case "CloseAccount" -> CLOSE_ACCOUNT;
                default -> null;
            };
        }
    }

    public Type type;
    public long user;
    public long order;
    public long amount;
    public long overdraft;
    /** Three letters packed by {@link Currencies}; 0 when none is named. */
    public int currency;
    /** The reference, refund id or reason, as the type has it; null when there is none. */
    public String text;
}
