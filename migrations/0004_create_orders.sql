-- What became of every order, and how much of it was given back.
CREATE TABLE orders (
    user_id      bigint      NOT NULL,
    order_id     bigint      NOT NULL,
    outcome      text        NOT NULL,
    amount_fen   bigint      NOT NULL,
    currency     text,
    reason       text,
    refunded_fen bigint      NOT NULL,
    cancelled    boolean     NOT NULL,
    partition    integer     NOT NULL,
    "offset"     bigint      NOT NULL,
    decided_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (user_id, order_id),
    CONSTRAINT orders_key_check CHECK (user_id > 0 AND order_id > 0),
    CONSTRAINT orders_amount_check CHECK (amount_fen > 0),
    CONSTRAINT orders_refunded_check CHECK (refunded_fen BETWEEN 0 AND amount_fen),
    CONSTRAINT orders_outcome_check CHECK (
        (outcome = 'DEBITED' AND reason IS NULL AND currency IS NOT NULL)
        OR (outcome = 'DEBIT_FAILED' AND reason IS NOT NULL AND refunded_fen = 0 AND NOT cancelled)
    )
) WITH (fillfactor = 90);

COMMENT ON COLUMN orders.reason IS 'why the debit failed';
COMMENT ON COLUMN orders.cancelled IS 'a refund of everything that was left was caused by a cancellation';
COMMENT ON COLUMN orders."offset" IS 'offset in account.events of the last event about the order';
