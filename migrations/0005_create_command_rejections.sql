-- Commands that were understood and refused. Append-only by nature: one row per CommandRejected event.
CREATE TABLE command_rejections (
    partition        integer     NOT NULL,
    "offset"         bigint      NOT NULL,
    event_id         uuid        NOT NULL,
    user_id          bigint      NOT NULL,
    command          text        NOT NULL,
    reason           text        NOT NULL,
    reference        text,
    refund_id        text,
    order_id         bigint,
    source_topic     text        NOT NULL,
    source_partition integer     NOT NULL,
    source_offset    bigint      NOT NULL,
    occurred_at      timestamptz NOT NULL,
    CONSTRAINT command_rejections_pkey PRIMARY KEY (partition, "offset")
);

COMMENT ON COLUMN command_rejections.command IS 'event type of the refused command';
