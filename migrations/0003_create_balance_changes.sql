-- Every change of every balance, one row per event, never changed again.
CREATE TABLE balance_changes (
    partition         integer     NOT NULL,
    "offset"          bigint      NOT NULL,
    event_id          uuid        NOT NULL,
    kind              text        NOT NULL,
    account_id        bigint      NOT NULL,
    user_id           bigint      NOT NULL,
    delta_fen         bigint      NOT NULL,
    balance_after_fen bigint      NOT NULL,
    currency          text        NOT NULL,
    account_version   bigint      NOT NULL,
    order_id          bigint,
    refund_id         text,
    reference         text,
    source_topic      text        NOT NULL,
    source_partition  integer     NOT NULL,
    source_offset     bigint      NOT NULL,
    occurred_at       timestamptz NOT NULL,
    CONSTRAINT balance_changes_pkey PRIMARY KEY (partition, "offset"),
    -- Also the way to one account's history, in its order.
    CONSTRAINT balance_changes_version_key UNIQUE (account_id, account_version),
    CONSTRAINT balance_changes_kind_check CHECK (
        (kind = 'AccountCredited' AND delta_fen > 0 AND reference IS NOT NULL)
        OR (kind = 'AccountDebited' AND delta_fen < 0 AND (order_id IS NULL) <> (reference IS NULL))
        OR (kind = 'AccountRefunded' AND delta_fen > 0 AND order_id IS NOT NULL)
    )
);

COMMENT ON COLUMN balance_changes."offset" IS 'offset of the event in account.events';
COMMENT ON COLUMN balance_changes.source_offset IS 'offset of the record the event was made from, in source_topic';

CREATE FUNCTION balance_changes_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'balance_changes is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'A wrong change is corrected by a new, opposite one.';
END
$$;

CREATE TRIGGER balance_changes_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON balance_changes
    FOR EACH STATEMENT EXECUTE FUNCTION balance_changes_refuse_change();
